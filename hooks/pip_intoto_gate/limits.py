"""Every cap of the gate in one place. Sizes in bytes, times in seconds."""

#: The oldest pip whose seams are known.
OLDEST_PIP = (22, 3)

#: One line from the verifier. A verdict with its whole trace stays far below.
MESSAGE_BYTES = 4 * 1024 * 1024
#: Without a sign of life for so long, the verifier counts as silent.
VERIFIER_SECONDS = 120
#: How long the verifier may take to leave after its input ends.
FAREWELL_SECONDS = 2
#: How much of the verifier's last words an error quotes.
STDERR_TAIL = 2_000

#: The one HTTP status that brings a whole file.
OK = 200

#: Evidence requests at once. At 16, pip's connection pool overflows.
FETCHES_AT_ONCE = 8
#: All requests of one pip run.
FETCHES = 20_000
#: No fetch may ask for more, whatever the verifier says.
FETCH_BYTES = 16 * 1024 * 1024
FETCH_SECONDS = 60
#: An index page that is read for the addresses in it, and comments and the like in one of HTML.
PAGE_BYTES = 8 * 1024 * 1024
PAGE_COMMENTS = 100
REDIRECTS = 5
#: Attempts after the first, each with pip's own back-off.
RETRIES = 1
#: Seconds without a byte before a connection counts as dead.
FETCH_SILENCE_SECONDS = 15

#: Bytes are hashed in blocks of this size, with at most so many blocks waiting.
HASH_BLOCK = 1024 * 1024
HASH_QUEUE = 16

#: A wheel's METADATA file.
METADATA_BYTES = 16 * 1024 * 1024

#: A sentence in an error, in characters.
SENTENCE = 4_000

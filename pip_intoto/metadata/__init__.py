"""in-toto documents: bytes in, checked frozen values out. No I/O, no policy.

=================  =========================================================================
strict_json        one reading of JSON, and no other
node               a JSON value that knows its place in the document
canonical          the bytes that a Metablock's signatures cover
envelope           DSSE and Metablock: what was signed, and by whom allegedly
keys               public keys, and when two of them are one
layout, link       the two documents that envelopes carry
rules              the grammar of artifact rules
digests, names     the parts of links, checked in bulk
bundle             many envelopes in one file
=================  =========================================================================

Every function that takes bytes from outside raises :class:`pip_intoto.errors.MetadataMalformed`,
:class:`pip_intoto.errors.MetadataTooLarge` or
:class:`pip_intoto.errors.LayoutFeatureUnsupported`, and nothing else, whatever the bytes are.
"""

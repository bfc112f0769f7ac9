// Without this the page is whole, only longer. It filters and sorts the table, opens its rows, and
// keeps what is chosen in the address, so that a link shows the same to others.
"use strict";
document.documentElement.classList.add("js");

addEventListener("DOMContentLoaded", () => {
  const one = (id) => document.getElementById(id);
  const table = one("table");
  const text = one("text");
  const collator = new Intl.Collator("en", { numeric: true });

  const rows = [...table.tBodies].map((body, order) => {
    const [status, name, finding, place] = body.rows[0].cells;
    return {
      body,
      order,
      number: body.id.slice(1),
      status: body.className,
      name: name.textContent,
      place: place.textContent,
      words: [name, finding, place, status].map((cell) => cell.textContent).join(" ").toLowerCase(),
      hidden: body.querySelector("noscript"),
    };
  });
  const rowsShown = () => sortedRows.filter((row) => !row.body.hidden);
  // So many rows at first: a browser takes long over thousands of them.
  const few = 500;
  let most = few;
  // More drawings than that at once would let a person wait.
  const atOnce = 200;
  const byNumber = new Map(rows.map((row) => [row.number, row]));

  // --- what there is to choose ---

  const button = (inside) => {
    const made = document.createElement("button");
    made.type = "button";
    made.append(...inside.childNodes);
    return made;
  };

  const tiles = [...document.querySelectorAll("[data-status]")].map((item) => {
    const tile = button(item.firstElementChild);
    tile.className = "tile";
    item.firstElementChild.replaceWith(tile);
    const status = item.dataset.status;
    tile.addEventListener("click", () => {
      chosen.status.has(status) ? chosen.status.delete(status) : chosen.status.add(status);
      show();
    });
    return { tile, status, count: tile.querySelector(".count") };
  });

  const heads = [...table.querySelectorAll("[data-sort]")].map((head) => {
    const key = head.dataset.sort;
    const made = button(head);
    head.append(made);
    made.addEventListener("click", () => {
      chosen.descending = chosen.sort === key && !chosen.descending;
      chosen.sort = key;
      show();
    });
    return { head, key };
  });

  for (const { body, number } of rows) {
    const name = body.querySelector(".name");
    const made = button(name);
    made.className = "name";
    made.setAttribute("aria-expanded", "false");
    made.setAttribute("aria-controls", `m${number}`);
    name.replaceWith(made);
    body.rows[1].id = `m${number}`;
  }

  table.addEventListener("click", (event) => {
    // A click anywhere in a row opens it, unless somebody marks text there.
    const row = event.target.closest("tbody > tr:first-child");
    if (row && (event.target.closest("button") || getSelection().isCollapsed)) {
      const { number } = byNumber.get(row.parentElement.id.slice(1));
      chosen.open.has(number) ? chosen.open.delete(number) : chosen.open.add(number);
      show();
    }
  });

  let waiting;
  text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      chosen.text = text.value;
      show();
    }, 100);
  });

  one("reset").addEventListener("click", () => {
    read("");
    show();
    text.focus();
  });

  one("rest").addEventListener("click", () => {
    const next = rowsShown().length;
    most = Infinity;
    show();
    rowsShown()[next].body.querySelector("button.name").focus();
  });

  one("expand").addEventListener("click", () => {
    const shown = rowsShown().slice(0, atOnce);
    const all = shown.every((row) => chosen.open.has(row.number));
    for (const { number } of shown) {
      all ? chosen.open.delete(number) : chosen.open.add(number);
    }
    show();
  });

  // --- what is chosen, and the address ---

  const chosen = {};

  function read(fragment) {
    const found = new URLSearchParams(fragment);
    const listed = (name) => (found.get(name) || "").split(",").filter(Boolean);
    chosen.status = new Set(listed("status").filter((each) => tiles.some((t) => t.status === each)));
    chosen.text = found.get("text") || "";
    chosen.sort = heads.some(({ key }) => key === found.get("sort")) ? found.get("sort") : "status";
    chosen.descending = found.get("order") === "descending";
    chosen.open = new Set(listed("open").filter((each) => byNumber.has(each)));
    text.value = chosen.text;
  }

  function write() {
    const kept = new URLSearchParams();
    if (chosen.status.size) kept.set("status", [...chosen.status].join());
    if (chosen.text) kept.set("text", chosen.text);
    if (chosen.sort !== "status") kept.set("sort", chosen.sort);
    if (chosen.descending) kept.set("order", "descending");
    // Thousands of numbers are no address.
    if (chosen.open.size && chosen.open.size <= 50) kept.set("open", [...chosen.open].join());
    const fragment = kept.toString().replaceAll("%2C", ",");
    history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
  }

  addEventListener("hashchange", () => {
    // A link to a part of the page is no choice.
    if (location.hash === "" || location.hash.includes("=")) {
      read(location.hash.slice(1));
      show();
    }
  });

  // --- showing it ---

  let sorted = "status up";
  let sortedRows = rows;

  function sort() {
    const wanted = `${chosen.sort} ${chosen.descending ? "down" : "up"}`;
    if (wanted === sorted) return;
    sorted = wanted;
    const key = chosen.sort;
    const way = chosen.descending ? -1 : 1;
    sortedRows = [...rows].sort(
      (one, other) =>
        way * (key === "status" ? 0 : collator.compare(one[key], other[key])) ||
        (key === "status" ? way : 1) * (one.order - other.order),
    );
    table.append(...sortedRows.map((row) => row.body));
  }

  function open(row, wanted) {
    const more = row.body.rows[1];
    if (wanted && row.hidden) {
      // It was escaped when it was written; and whatever it holds, it may not run.
      const parsed = new DOMParser().parseFromString(row.hidden.textContent, "text/html");
      row.hidden.replaceWith(parsed.querySelector(".panel"));
      row.hidden = null;
    }
    if (more.classList.contains("open") !== wanted) {
      more.classList.toggle("open", wanted);
      row.body.querySelector("button.name").setAttribute("aria-expanded", String(wanted));
    }
  }

  function show() {
    const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
    // A digest is behind the row, as text as long as the row has not been opened.
    const fits = (row, word) =>
      row.words.includes(word) ||
      (/^[0-9a-f]{7,64}$/.test(word) &&
        (row.hidden || row.body.rows[1]).textContent.includes(word));
    const counts = {};
    let shown = 0;
    sort();
    for (const row of sortedRows) {
      const matches = words.every((word) => fits(row, word));
      counts[row.status] = (counts[row.status] || 0) + matches;
      const visible = matches && (!chosen.status.size || chosen.status.has(row.status));
      shown += visible;
      const drawn = visible && (shown <= most || chosen.open.has(row.number));
      if (row.body.hidden === drawn) row.body.hidden = !drawn;
      if (drawn) open(row, chosen.open.has(row.number));
    }
    for (const { tile, status, count } of tiles) {
      tile.setAttribute("aria-pressed", String(chosen.status.has(status)));
      count.textContent = (counts[status] || 0).toLocaleString("en");
    }
    for (const { head, key } of heads) {
      if (key === chosen.sort) {
        head.setAttribute("aria-sort", chosen.descending ? "descending" : "ascending");
      } else {
        head.removeAttribute("aria-sort");
      }
    }
    const first = rowsShown().slice(0, atOnce);
    const all = first.length > 0 && first.every((row) => chosen.open.has(row.number));
    const which = shown > atOnce ? `the first ${atOnce}` : "all shown";
    const total = `${rows.length.toLocaleString("en")} distribution${rows.length === 1 ? "" : "s"}`;
    const said = shown === rows.length ? total : `${shown.toLocaleString("en")} of ${total}`;
    if (one("shown").textContent !== said) one("shown").textContent = said;
    one("rest").hidden = shown <= most;
    one("rest").textContent = `Show the ${(shown - most).toLocaleString("en")} others`;
    one("none").hidden = shown > 0;
    one("expand").disabled = shown === 0;
    one("expand").textContent = `${all ? "Close" : "Open"} ${which}`;
    write();
  }

  // --- light and dark ---

  const themes = ["automatic", "light", "dark"];
  const theme = one("theme");
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(theme.dataset.now || "automatic") + 1) % themes.length];
    theme.dataset.now = next;
    theme.textContent = `Theme: ${next}`;
    document.documentElement.dataset.theme = next;
  });

  theme.hidden = false;
  one("controls").hidden = false;
  read(location.hash.includes("=") ? location.hash.slice(1) : "");
  show();
  document.documentElement.classList.add("ready");
});

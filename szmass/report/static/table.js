// The table of clusters: search, order, pages. Its state stands in the address after '#'.
(function () {
  "use strict";
  const report = window.szmassReport;
  const columns = report.columns;
  const byKey = new Map(columns.map((column) => [column.key.toLowerCase(), column]));
  if (byKey.has("redshift")) byKey.set("z", byKey.get("redshift"));
  for (const column of columns) {
    const label = column.label.toLowerCase();
    if (!byKey.has(label)) byKey.set(label, column);
  }
  const total = report.total;
  const flagNames = Object.keys(report.flagWords);
  const get = (id) => document.getElementById(id);
  const table = get("table");
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const flat = (text) => text.normalize("NFKD").toLowerCase().replace(/[\s_]+/g, "");
  // The key that all usual spellings of a name share, as szmass._utils.names.name_key has it.
  const nameKey = function (text) {
    const name = text.normalize("NFKC").toUpperCase().replace(/[\u2010-\u2015\u2212]/g, "-").replace(/[\s_]+/g, "")
      .replace(/([A-Z])-+/g, "$1");
    let found = name.match(/^(?:ABELL|ACO|A)(S?)0*(\d{1,4})([A-Z]?)$/);
    if (found) return `A${found[1]}${found[2]}${found[3]}`.toLowerCase();
    found = name.match(/^(?:MCXC|RXC)?(J\d{4}\.\d[+-]\d{4})$/);
    if (found) return found[1].toLowerCase();
    found = name.match(/^(?:ZWCL|ZWICKY|ZW)0*(\d.*)$/);
    if (found) return `zwcl${found[1]}`.toLowerCase();
    found = name.match(/^(?:MACS|MCS)(J\d{4}.*)$/);
    return (found ? `MACS${found[1]}` : name).toLowerCase();
  };
  const texts = columns.filter((column) => column.kind === "text").map((column) => column.values);
  const flagText = new Map();
  const namesOfFlag = function (flag) {
    if (!flagText.has(flag)) {
      const names = flagNames.filter((name) => Math.floor(flag / report.flagWords[name].bit) % 2);
      const known = names.reduce((sum, name) => sum + report.flagWords[name].bit, 0);
      if (flag > known) names.push(String(flag - known));
      flagText.set(flag, names);
    }
    return flagText.get(flag);
  };
  let haystack = null;
  const searched = function () {
    if (!haystack) {
      haystack = new Array(total);
      for (let i = 0; i < total; i += 1) {
        haystack[i] = flat(texts.map((values) => values[i]).concat(namesOfFlag(report.flags[i])).join("\n"));
      }
    }
    return haystack;
  };

  const state = { q: "", flag: "", sort: "", down: false, page: 0, rows: 50 };
  const visible = new Set(columns.filter((column) => column.shown).map((column) => column.key));
  let order = new Uint32Array(0);

  const COMPARE = {
    ">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b,
    "=": (a, b) => a === b,
  };
  // 'PSZ2 G057 z>0.3' gives words, which stand together as typed, and conditions.
  const understand = function (query) {
    const conditions = [];
    const wrong = [];
    const words = query.replace(/([^\s<>=]+)\s*(>=|<=|>|<|=)\s*(\S+)/g, function (all, key, sign, value) {
      const column = byKey.get(key.toLowerCase());
      const number = Number(value);
      if (!column || column.kind === "text") wrong.push(`there is no column of numbers “${key}”`);
      else if (Number.isNaN(number)) wrong.push(`“${value}” is not a number`);
      else conditions.push((i) => column.values[i] !== null && COMPARE[sign](column.values[i], number));
      return " ";
    });
    return { words: flat(words), key: nameKey(words), conditions, wrong };
  };

  const select = function () {
    const { words, key, conditions, wrong } = understand(state.q);
    get("bad-words").textContent = wrong.length ? `Not understood: ${wrong.join("; ")}.` : "";
    const text = words ? searched() : null;
    const found = [];
    for (let i = 0; i < total; i += 1) {
      if (state.flag === "none" && report.flags[i]) continue;
      if (state.flag === "any" && !report.flags[i]) continue;
      if (text && !text[i].includes(words) && !report.aliases[i].includes(`\n${key}`)) continue;
      if (!conditions.every((holds) => holds(i))) continue;
      found.push(i);
    }
    return found;
  };

  const sorted = function (rows) {
    const sign = state.down ? -1 : 1;
    if (state.sort === "flags") {
      const count = rows.map((i) => namesOfFlag(report.flags[i]).length);
      const place = rows.map((_, n) => n).sort((a, b) => sign * (count[a] - count[b]) || a - b);
      return place.map((n) => rows[n]);
    }
    const column = columns.find((candidate) => candidate.key === state.sort);
    if (!column) return rows;
    const values = column.values;
    if (column.kind === "text") {
      return rows.sort((a, b) => sign * collator.compare(values[a], values[b]) || a - b);
    }
    // What is not known stands last in either order.
    return rows.sort(function (a, b) {
      const x = values[a], y = values[b];
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return sign * (x - y) || a - b;
    });
  };

  const element = function (tag, options, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(options || {})) {
      if (name === "text") made.textContent = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  const minus = (text) => text.replace("-", "−");
  const plain = function (value) {
    if (value === null) return "—";
    return minus(String(Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : value));
  };
  const massCell = function (column, i) {
    const cell = element("td");
    const value = column.values[i];
    if (value === null) { cell.textContent = "—"; return cell; }
    const decimals = Math.min(Math.max(0, 2 - Math.floor(Math.log10(value))), 6);
    cell.textContent = value.toFixed(decimals) + " ";
    const errors = element("span", { class: "pm" });
    for (const [values, sign] of [[column.errp, "+"], [column.errn, "−"]]) {
      const known = values && values[i] !== null;
      errors.append(element("span", { text: known ? sign + values[i].toFixed(decimals) : "" }));
    }
    if (column.errn || column.errp) cell.append(errors);
    return cell;
  };

  const withPictures = report.pictures.includes(1);
  const shown = () => columns.filter((column) => column.key === "name" || visible.has(column.key));

  const drawHead = function () {
    const row = element("tr");
    if (withPictures) row.append(element("th", { scope: "col", class: "thumb" }, element("span", { class: "hidden", text: "Picture" })));
    const heads = shown().map((column) => [column.key, column.label, column.unit, column.kind === "text"]);
    heads.push(["flags", "Flags", "", true]);
    for (const [key, label, unit, isText] of heads) {
      const active = state.sort === key;
      const button = element("button", { type: "button", "data-sort": key }, label,
        element("span", { class: "arrow", "aria-hidden": "true", text: active ? (state.down ? "▼" : "▲") : "↕" }));
      if (unit) button.append(element("span", { class: "unit", text: unit }));
      const head = element("th", { scope: "col", class: [isText ? "text" : "", key === "name" ? "name" : ""].join(" ").trim() }, button);
      head.setAttribute("aria-sort", active ? (state.down ? "descending" : "ascending") : "none");
      row.append(head);
    }
    table.tHead.replaceChildren(row);
  };

  const drawRow = function (i) {
    const row = element("tr");
    const name = columns[0].values[i];
    const slug = report.pages[i];
    const target = slug && `clusters/${slug}.html`;
    if (withPictures) {
      const cell = element("td", { class: "thumb" });
      if (report.pictures[i]) {
        const image = element("img", { src: `cutouts/${slug}.png`, alt: "", loading: "lazy", width: "44", height: "44" });
        cell.append(element("a", { href: target, tabindex: "-1", "aria-hidden": "true" }, image));
      }
      row.append(cell);
    }
    for (const column of shown()) {
      if (column.key === "name") {
        const head = element("th", { scope: "row", class: "name text", title: name });
        head.append(target ? element("a", { href: target, text: name }) : name);
        row.append(head);
      } else if (column.kind === "mass") row.append(massCell(column, i));
      else if (column.kind === "text") row.append(element("td", { class: "text", text: column.values[i] }));
      else row.append(element("td", { text: plain(column.values[i]) }));
    }
    const cell = element("td", { class: "text" });
    for (const flag of namesOfFlag(report.flags[i])) {
      const words = report.flagWords[flag] ? report.flagWords[flag].words : report.unknownFlag;
      cell.append(element("code", { class: "flag", title: words, text: flag }), " ");
    }
    row.append(cell);
    return row;
  };

  const drawBody = function () {
    const pages = Math.max(1, Math.ceil(order.length / state.rows));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const start = state.page * state.rows;
    const body = document.createDocumentFragment();
    for (const i of order.slice(start, start + state.rows)) body.append(drawRow(i));
    table.tBodies[0].replaceChildren(body);
    get("count").textContent = order.length === total
      ? `${total} cluster${total === 1 ? "" : "s"}` : `${order.length} of ${total} clusters`;
    get("page").textContent = `page ${state.page + 1} of ${pages}`;
    get("first").disabled = get("previous").disabled = state.page === 0;
    get("next").disabled = get("last").disabled = state.page === pages - 1;
  };

  const remember = function () {
    const words = new URLSearchParams();
    if (state.q) words.set("q", state.q);
    if (state.flag) words.set("flag", state.flag);
    if (state.sort) words.set("sort", (state.down ? "-" : "") + state.sort);
    if (state.page) words.set("page", String(state.page + 1));
    if (state.rows !== 50) words.set("rows", String(state.rows));
    const hash = words.toString();
    try {
      sessionStorage.setItem("szmass-table", hash ? `#${hash}` : "#clusters");
      history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    } catch (error) { /* some browsers forbid this for files: nothing is lost but the address */ }
  };
  const recall = function () {
    const words = new URLSearchParams(location.hash.slice(1));
    if (!["q", "flag", "sort", "page", "rows"].some((word) => words.has(word))) return false;
    state.q = words.get("q") || "";
    state.flag = words.get("flag") || "";
    const sort = words.get("sort") || "";
    state.down = sort.startsWith("-");
    state.sort = state.down ? sort.slice(1) : sort;
    state.page = (parseInt(words.get("page"), 10) || 1) - 1;
    const rows = parseInt(words.get("rows"), 10);
    state.rows = [25, 50, 100, 250].includes(rows) ? rows : 50;
    return true;
  };

  const refresh = function () {
    const found = select();
    const inside = new Uint8Array(total);
    for (const i of found) inside[i] = 1;
    report.inside = inside;
    order = sorted(found);
    drawHead();
    drawBody();
    document.dispatchEvent(new Event("szmass:filter"));
  };
  const turn = (page) => function () { state.page = page(); drawBody(); remember(); };

  get("search").addEventListener("input", function () { state.q = this.value; state.page = 0; refresh(); remember(); });
  get("flag").addEventListener("change", function () { state.flag = this.value; state.page = 0; refresh(); remember(); });
  get("rows").addEventListener("change", function () { state.rows = Number(this.value); state.page = 0; drawBody(); remember(); });
  get("first").addEventListener("click", turn(() => 0));
  get("previous").addEventListener("click", turn(() => state.page - 1));
  get("next").addEventListener("click", turn(() => state.page + 1));
  get("last").addEventListener("click", turn(() => Infinity));
  table.tHead.addEventListener("click", function (event) {
    const button = event.target.closest("button");
    if (!button) return;
    const key = button.dataset.sort;
    const words = columns.some((column) => column.key === key && column.kind === "text");
    if (state.sort !== key) {
      state.sort = key;
      state.down = !words;  // numbers begin with the largest
    } else if (state.down === !words) state.down = words;
    else { state.sort = ""; state.down = false; }
    state.page = 0;
    refresh();
    remember();
    table.tHead.querySelector(`[data-sort="${CSS.escape(key)}"]`).focus();
  });
  for (const column of columns.slice(1)) {
    const box = element("input", { type: "checkbox" });
    box.checked = visible.has(column.key);
    box.addEventListener("change", function () {
      if (box.checked) visible.add(column.key); else visible.delete(column.key);
      drawHead();
      drawBody();
    });
    get("columns").append(element("label", null, box, ` ${column.label}`));
  }
  const begin = function () {
    get("search").value = state.q;
    get("flag").value = state.flag;
    get("rows").value = String(state.rows);
    refresh();
  };
  window.addEventListener("hashchange", function () { if (recall()) begin(); });
  const recalled = recall();
  begin();
  if (recalled) get("clusters").scrollIntoView();
})();

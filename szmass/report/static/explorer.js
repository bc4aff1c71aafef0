// A scatter plot of any two columns; what the table's search leaves is in colour.
(function () {
  "use strict";
  const report = window.szmassReport;
  const get = (id) => document.getElementById(id);
  const canvas = get("plot");
  const tip = get("tip");
  const total = report.total;
  // viridis
  const STOPS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];

  const nameOf = (column) => ({ truth: "true M", catalogue: "M of the catalogue" }[column.origin] || `M by ${column.label}`);
  const variables = [];
  const known = (values) => values.some((value) => value !== null);
  for (const column of report.columns) {
    if (column.kind === "text" || !known(column.values)) continue;
    const numbers = column.values.filter((value) => value !== null);
    const low = Math.min.apply(null, numbers.slice(0, 5000)), high = Math.max.apply(null, numbers.slice(0, 5000));
    variables.push({
      key: column.key, label: column.kind === "mass" ? nameOf(column) : column.label,
      unit: column.unit || "", values: column.values, mass: column.kind === "mass",
      log: column.kind === "mass" || (numbers.every((value) => value > 0) && high / low > 30),
    });
  }
  const masses = report.columns.filter((column) => column.kind === "mass");
  const reference = masses.find((column) => column.key === report.reference);
  for (const column of masses) {
    if (!reference || column === reference) continue;
    variables.push({
      key: `${column.key}/difference`, label: `(M − ${nameOf(reference)}) / M, ${nameOf(column).replace(/^M /, "")}`, unit: "", log: false, difference: true,
      values: column.values.map((value, i) => (value === null || reference.values[i] === null ? null : 1 - reference.values[i] / value)),
    });
  }
  if (!variables.length || total < 2) {
    get("explore").hidden = true;
    const link = document.querySelector('a[href="#explore"]');
    if (link) link.hidden = true;
    return;
  }
  for (const id of ["axis-x", "axis-y", "axis-c"]) {
    if (id === "axis-c") get(id).add(new Option("one colour", ""));
    for (const variable of variables) get(id).add(new Option(variable.label, variable.key));
  }
  const find = (key) => variables.find((variable) => variable.key === key);
  const first = masses.find((column) => column !== reference) || masses[0];
  get("axis-x").value = reference && first !== reference ? reference.key : find("redshift") ? "redshift" : variables[0].key;
  get("axis-y").value = first ? first.key : variables[variables.length - 1].key;
  get("axis-c").value = find("redshift") ? "redshift" : "";

  const range = function (variable) {
    let low = Infinity, high = -Infinity;
    for (const value of variable.values) {
      if (value === null) continue;
      const v = variable.log ? Math.log10(value) : value;
      if (v < low) low = v;
      if (v > high) high = v;
    }
    const pad = 0.04 * (high - low) || 0.1;
    return [low - pad, high + pad];
  };
  const ticksOf = function (variable, [low, high], most) {
    if (variable.log) {
      const ticks = [];
      for (const digits of [[1, 2, 5], [1]]) {
        ticks.length = 0;
        for (let p = Math.floor(low); p <= high; p += 1) for (const d of digits) {
          const at = Math.log10(d) + p;
          if (at >= low && at <= high) ticks.push([at, String(Number((d * 10 ** p).toPrecision(2)))]);
        }
        if (ticks.length <= most) break;
      }
      if (ticks.length >= 2) return ticks;
      const made = [];
      for (let n = 0; n < 4; n += 1) {
        const value = Number((10 ** (low + (n + 0.5) / 4 * (high - low))).toPrecision(2));
        made.push([Math.log10(value), String(value)]);
      }
      return made.filter(([at]) => at >= low && at <= high);
    }
    const raw = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const ticks = [];
    for (let n = Math.ceil(low / step); n * step <= high; n += 1) ticks.push([n * step, String(Number((n * step).toPrecision(10))).replace("-", "−")]);
    return ticks;
  };
  const ramp = function (fraction) {
    const place = Math.min(Math.max(fraction, 0), 1) * (STOPS.length - 1);
    const n = Math.min(Math.floor(place), STOPS.length - 2);
    const c = STOPS[n].map((value, k) => Math.round(value + (place - n) * (STOPS[n + 1][k] - value)));
    return `rgb(${c[0]} ${c[1]} ${c[2]})`;
  };

  let points = null;  // what is drawn: Float32Array of x, y; NaN where not
  const draw = function () {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const g = canvas.getContext("2d");
    g.scale(ratio, ratio);
    g.font = "13px system-ui, sans-serif";
    const X = find(get("axis-x").value), Y = find(get("axis-y").value), C = find(get("axis-c").value);
    const left = 58, right = width - (C ? 74 : 14), top = 12, bottom = height - 46;
    const xr = range(X), yr = range(Y);
    const sx = (v) => left + (v - xr[0]) / (xr[1] - xr[0]) * (right - left);
    const sy = (v) => bottom - (v - yr[0]) / (yr[1] - yr[0]) * (bottom - top);
    g.strokeStyle = colour("--line");
    g.fillStyle = colour("--dim");
    g.lineWidth = 1;
    g.textAlign = "center";
    for (const [at, text] of ticksOf(X, xr, Math.max(3, width / 90))) {
      g.beginPath(); g.moveTo(sx(at), top); g.lineTo(sx(at), bottom); g.stroke();
      g.fillText(text, sx(at), bottom + 17);
    }
    g.textAlign = "right";
    for (const [at, text] of ticksOf(Y, yr, Math.max(3, height / 60))) {
      g.beginPath(); g.moveTo(left, sy(at)); g.lineTo(right, sy(at)); g.stroke();
      g.fillText(text, left - 7, sy(at) + 4);
    }
    g.fillStyle = colour("--ink");
    g.textAlign = "center";
    const name = (v) => v.label + (v.unit ? ` [${v.unit}]` : "");
    g.fillText(name(X), (left + right) / 2, height - 8, right - left);
    g.save();
    g.translate(14, (top + bottom) / 2);
    g.rotate(-Math.PI / 2);
    g.fillText(name(Y), 0, 0, bottom - top);
    g.restore();
    g.strokeStyle = colour("--dim");
    g.setLineDash([5, 4]);
    g.save();
    g.beginPath(); g.rect(left, top, right - left, bottom - top); g.clip();
    if (X.mass && Y.mass) { g.beginPath(); g.moveTo(sx(-3), sy(-3)); g.lineTo(sx(5), sy(5)); g.stroke(); }
    if (Y.difference) { g.beginPath(); g.moveTo(left, sy(0)); g.lineTo(right, sy(0)); g.stroke(); }
    g.restore();
    g.setLineDash([]);

    points = new Float32Array(2 * total).fill(NaN);
    const inside = report.inside;
    const size = total > 20000 ? 1.4 : total > 3000 ? 2.2 : total > 300 ? 3.2 : 4.5;
    const cr = C ? range(C) : null;
    const faint = colour("--line"), one = colour("--c0");
    for (const pass of [0, 1]) {
      g.globalAlpha = pass ? 0.85 : 0.7;
      for (let i = 0; i < total; i += 1) {
        if ((inside ? inside[i] : 1) !== pass || X.values[i] === null || Y.values[i] === null) continue;
        const x = sx(X.log ? Math.log10(X.values[i]) : X.values[i]);
        const y = sy(Y.log ? Math.log10(Y.values[i]) : Y.values[i]);
        if (pass) { points[2 * i] = x; points[2 * i + 1] = y; }
        const value = C && C.values[i];
        if (!pass) g.fillStyle = faint;
        else if (!C) g.fillStyle = one;
        else if (value === null) g.fillStyle = colour("--dim");
        else g.fillStyle = ramp(((C.log ? Math.log10(value) : value) - cr[0]) / (cr[1] - cr[0]));
        if (total > 20000) g.fillRect(x - size, y - size, 2 * size, 2 * size);
        else { g.beginPath(); g.arc(x, y, size, 0, 2 * Math.PI); g.fill(); }
      }
    }
    g.globalAlpha = 1;
    if (C) {
      const x = right + 14;
      for (let n = 0; n < 100; n += 1) {
        g.fillStyle = ramp(n / 99);
        g.fillRect(x, bottom - (n + 1) / 100 * (bottom - top), 11, (bottom - top) / 100 + 1);
      }
      g.fillStyle = colour("--dim");
      g.textAlign = "left";
      for (const [at, text] of ticksOf(C, cr, 6)) g.fillText(text, x + 15, bottom - (at - cr[0]) / (cr[1] - cr[0]) * (bottom - top) + 4);
    }
    canvas.dataset.drawn = String(points.filter((value) => !Number.isNaN(value)).length / 2);
  };

  const nearest = function (event) {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = 14 ** 2;
    for (let i = 0; points && i < total; i += 1) {
      const d = (points[2 * i] - x) ** 2 + (points[2 * i + 1] - y) ** 2;
      if (d < least) { least = d; best = i; }
    }
    return best;
  };
  canvas.addEventListener("pointermove", function (event) {
    const i = nearest(event);
    tip.hidden = i < 0;
    canvas.style.cursor = i >= 0 && report.pages[i] ? "pointer" : "default";
    if (i < 0) return;
    const z = find("redshift");
    tip.textContent = report.columns[0].values[i] + (z && z.values[i] !== null ? `, z = ${z.values[i]}` : "");
    const x = points[2 * i], flip = x > canvas.clientWidth / 2;
    tip.style.left = flip ? "auto" : `${x + 10}px`;
    tip.style.right = flip ? `${canvas.clientWidth - x + 10}px` : "auto";
    tip.style.top = `${points[2 * i + 1] + 10}px`;
  });
  canvas.addEventListener("pointerleave", function () { tip.hidden = true; });
  canvas.addEventListener("click", function (event) {
    const i = nearest(event);
    if (i >= 0 && report.pages[i]) location.href = `clusters/${report.pages[i]}.html`;
  });
  for (const id of ["axis-x", "axis-y", "axis-c"]) get(id).addEventListener("change", draw);
  let waiting = 0;
  const soon = function () { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); };
  for (const name of ["szmass:filter", "szmass:theme"]) document.addEventListener(name, soon);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
  new ResizeObserver(soon).observe(canvas);
  draw();
})();

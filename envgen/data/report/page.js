"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const units = ["B", "kB", "MB", "GB"];
  const human = (bytes) => {
    let value = bytes, unit = 0;
    while (value >= 1000 && unit < 3) { value /= 1000; unit += 1; }
    return `${value.toFixed(unit < 2 ? 0 : 1)} ${units[unit]}`;
  };
  const make = (tag, text) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // A node: [name, bytes, children, group, version, remark, whether it changed]. What is too small to be seen is put together.
  const SMALL = 0.0012;
  const total = (nodes) => nodes.reduce((sum, node) => sum + node[1], 0);
  const packages = read("tree");
  const root = ["all packages", total(packages), packages];

  const SITE = /^lib\/python[^/]+\/site-packages$/;
  const opened = (node) => {  // a folder with nearly everything in it stands for what is in it
    const main = node[2].find((one) => one[2].length && one[1] >= node[1] * 0.9);
    if (!main) return node[2];
    const prefix = SITE.test(main[0]) ? "" : `${main[0]}/`;
    const within = opened(main).map((one) => [prefix + one[0], ...one.slice(1)]);
    return [...node[2].filter((one) => one !== main), ...within];
  };
  const shown = (node) => {
    const inner = node === root ? packages : opened(node);
    const large = inner.filter((one) => one[1] >= node[1] * SMALL);
    const small = inner.filter((one) => one[1] < node[1] * SMALL);
    if (small.length === 1) large.push(small[0]);
    else if (small.length) large.push([`${small.length} smaller`, total(small), small, node[3]]);
    const rest = node[1] - total(inner);
    if (inner.length && rest > node[1] * SMALL) large.push(["other files", rest, []]);
    return large.sort((a, b) => b[1] - a[1]);
  };

  // Squarified treemaps (Bruls, Huizing, van Wijk 2000): rows whose rectangles are as square as can be.
  const squarify = (nodes, x, y, width, height) => {
    const scale = (width * height) / total(nodes);
    const places = [];
    const worst = (row, side) => {
      const area = total(row) * scale;
      return Math.max(...row.map((node) => {
        const share = node[1] * scale;
        return Math.max((side * side * share) / (area * area), (area * area) / (side * side * share));
      }));
    };
    const lay = (row) => {
      const area = total(row) * scale;
      const flat = width < height;
      const thick = area / (flat ? width : height);
      let at = 0;
      for (const node of row) {
        const long = (node[1] * scale) / thick;
        places.push(flat ? [node, x + at, y, long, thick] : [node, x, y + at, thick, long]);
        at += long;
      }
      if (flat) { y += thick; height -= thick; } else { x += thick; width -= thick; }
    };
    let row = [];
    for (const node of nodes) {
      const side = Math.min(width, height);
      if (row.length && worst([...row, node], side) > worst(row, side)) { lay(row); row = []; }
      row.push(node);
    }
    if (row.length) lay(row);
    return places;
  };
  const place = (element, [, x, y, width, height]) => {
    Object.assign(element.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
  };

  const map = document.getElementById("map"), crumbs = document.getElementById("crumbs");
  const said = document.getElementById("said"), about = document.getElementById("here");
  let path = [root];

  const describe = (node) => {
    const share = ((100 * node[1]) / root[1]).toFixed(1);
    const inner = node[2].length ? `, ${shown(node).length} inside` : "";
    const name = node[4] ? `${node[0]} ${node[4]}` : node[0];
    return `${name}: ${human(node[1])}, ${share} % of all${inner}${node[5] ? `; ${node[5]}` : ""}`;
  };
  const enter = (next, from) => {
    path = next;
    draw();
    const buttons = [...map.children];
    const back = buttons.findIndex((button) => button.dataset.name === from);
    focus(buttons, Math.max(back, 0));
  };
  const focus = (buttons, index) => {
    buttons.forEach((button, at) => { button.tabIndex = at === index ? 0 : -1; });
    if (buttons[index]) buttons[index].focus();
  };
  const up = () => { if (path.length > 1) enter(path.slice(0, -1), path[path.length - 1][0]); };

  const inside = (button, node, width, height) => {
    if (width < 90 || height < 70 || !node[2].length) return;
    for (const at of squarify(shown(node), 3, 38, width - 8, height - 43)) {
      if (at[3] < 3 || at[4] < 3) continue;
      const part = make("i", at[3] > 46 && at[4] > 17 ? at[0][0] : "");
      place(part, at);
      button.append(part);
    }
  };
  const draw = () => {
    const here = path[path.length - 1];
    const nodes = shown(here);
    const group = path.length > 1 ? path[1][3] : undefined;
    about.textContent = path.length > 1 ? describe(path[1]) : "";
    map.replaceChildren();
    for (const at of nodes.length ? squarify(nodes, 0, 0, map.clientWidth, map.clientHeight) : []) {
      const node = at[0], button = make("button");
      button.type = "button";
      button.dataset.name = node[0];
      button.setAttribute("aria-label", describe(node));
      button.title = describe(node);
      if (!node[2].length) button.setAttribute("aria-disabled", "true");
      button.className = `g-${node[3] || group || "rest"}${node[2].length ? "" : " leaf"}${node[6] ? " changed" : ""}`;
      if (at[3] > 48 && at[4] > 20) button.append(make("b", node[0]));
      const size = human(node[1]), both = node[4] ? `${size} · ${node[4]}` : size;
      const line = [both, size].find((text) => at[3] > 14 + 7 * text.length);  // a number that is cut misleads
      if (line && at[4] > 36) button.append(make("small", line));
      inside(button, node, at[3], at[4]);
      place(button, at);
      button.tabIndex = map.children.length ? -1 : 0;
      button.addEventListener("click", () => { if (node[2].length) enter([...path, node]); });
      button.addEventListener("focus", () => { said.textContent = describe(node); });
      button.addEventListener("mouseenter", () => { said.textContent = describe(node); });
      map.append(button);
    }
    crumbs.replaceChildren(...path.map((node, at) => {
      const item = make("li"), last = at === path.length - 1;
      const button = make("button", `${node[0]} (${human(node[1])})`);
      button.type = "button";
      if (last) button.setAttribute("aria-current", "location");
      button.addEventListener("click", () => { if (!last) enter(path.slice(0, at + 1), path[at + 1][0]); });
      item.append(button);
      return item;
    }));
  };
  map.addEventListener("keydown", (event) => {
    const buttons = [...map.children], at = buttons.indexOf(document.activeElement);
    const moves = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 };
    if (event.key === "Escape" || event.key === "Backspace") up();
    else if (event.key in moves) focus(buttons, (moves[event.key] + buttons.length) % buttons.length);
    else return;
    event.preventDefault();
  });
  let width = 0;
  new ResizeObserver(() => { if (map.clientWidth !== width) { width = map.clientWidth; draw(); } }).observe(map);

  const chosen = document.getElementById("chosen");
  if (chosen) {
    const rows = [...document.querySelectorAll(".layers > li")];
    const answer = document.getElementById("answer");
    const names = [...new Set(rows.flatMap((row) => JSON.parse(row.dataset.holds)))].sort();
    chosen.append(...names.map((name) => make("option", name)));
    chosen.addEventListener("change", () => {
      const hit = (row) => chosen.value !== "" && JSON.parse(row.dataset.holds).includes(chosen.value);
      rows.forEach((row) => row.classList.toggle("hit", hit(row)));
      const hits = rows.filter(hit), bytes = hits.reduce((sum, row) => sum + Number(row.dataset.bytes), 0);
      const which = hits.map((row) => rows.indexOf(row) + 1).join(", ");
      answer.textContent = hits.length ? `layer${hits.length > 1 ? "s" : ""} ${which} of ${rows.length}: ${human(bytes)}` : "";
    });
  }

  const filter = document.getElementById("filter");
  const rows = [...document.querySelectorAll("#all tbody tr")];
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    document.getElementById("left").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });
  for (const element of document.querySelectorAll(".js")) element.hidden = false;
  draw();
})();

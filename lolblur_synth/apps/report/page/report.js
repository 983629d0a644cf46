"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  byId("data").remove();
  const { folders, measures, pairs, groups, tiers } = data;
  const SPLIT_VIEW = "split", INPUT = 0, TRUTH = folders.findIndex((folder) => folder.name === "high_sharp_scaled");
  const at = Object.fromEntries(measures.map((measure, index) => [measure.name, index]));
  const THEME = "lolblur-synth.report.theme"; // pages of files share one store

  pairs.forEach((pair, number) => { pair.number = number; });
  const measured = (pair, name) => (pair.measured ? pair.measured[at[name]] : null);
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Pictures lie in inert scripts, of which the browser makes no picture before one is asked for; each in one of its
  // own, as whatever is read of them becomes garbage.
  const store = (number, folder) => byId(`p${number}-${folder}`);
  const isDark = (folder) => folders[folder].name.startsWith("low_");
  const fill = (image, number, folder) => {
    image.className = isDark(folder) ? "dark" : "";
    image.src = `data:image/webp;base64,${store(number, folder).textContent}`;
  };

  // Parts of the page
  const sections = [...document.querySelectorAll("main > section")];
  const open = () => {
    const wanted = sections.find((section) => `#${section.id}` === location.hash) || sections[0];
    sections.forEach((section) => { section.hidden = section !== wanted; });
    document.querySelectorAll("nav a").forEach((link) => {
      if (link.hash === `#${wanted.id}`) {
        link.setAttribute("aria-current", "page");
        link.parentElement.scrollLeft = link.offsetLeft - 40;
      } else link.removeAttribute("aria-current");
    });
    if (wanted.id === "pictures") gallery.layOut();
  };

  const setTheme = (theme) => { if (theme) document.documentElement.dataset.theme = theme; };
  const stored = (() => { try { return localStorage.getItem(THEME); } catch { return null; } })();
  if (stored === "light" || stored === "dark") setTheme(stored);
  byId("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    setTheme(next);
    try { localStorage.setItem(THEME, next); } catch { /* a browser that stores nothing still shows it */ }
  });

  // Filter and sort
  const unknownLast = (value, pair) => { const found = value(pair); return found === null || found === undefined ? Infinity : found; };
  const keys = {
    inconsistent: (pair) => (pair.inconsistent === undefined ? null : -pair.inconsistent),
    blurred: (pair) => (pair.path === undefined ? null : -pair.path),
    still: (pair) => pair.path,
    dark: (pair) => measured(pair, "lightness"),
    bright: (pair) => (pair.measured ? -measured(pair, "lightness") : null),
    saturated: (pair) => (pair.measured ? -measured(pair, "saturated") : null),
    hard: (pair) => pair.psnr,
  };
  const explained = {
    worst: "Worst first: motion that is not to be trusted, then the number of values beyond real nights, then the lowest PSNR in light.",
    inconsistent: "By the largest share of the picture that moves inconsistently between two source frames.",
    blurred: "By the mean path of things while the shutter is open.",
    still: "By the mean path of things while the shutter is open.",
    hard: "By PSNR of low_blur against low_sharp, seen in the light of the ground truth.",
  };
  const worst = (one, other) =>
    Number(other.untrusted) - Number(one.untrusted) ||
    (other.outside ?? -1) - (one.outside ?? -1) ||
    (one.psnr ?? Infinity) - (other.psnr ?? Infinity);
  const bounds = (name) => ["from", "to"].map((end) => byId(`${name}-${end}`).valueAsNumber);
  const within = ([from, to], value) => {
    if (Number.isNaN(from) && Number.isNaN(to)) return true;
    return value !== null && value !== undefined && !(value < from) && !(value > to);
  };
  const chosen = () => {
    const split = byId("split").value, tier = byId("tier").value, sort = byId("sort").value;
    const [path, light, saturated] = ["path", "light", "saturated"].map(bounds);
    const only = (id) => byId(id) !== null && byId(id).checked;
    const untrusted = only("untrusted"), pictured = only("pictured");
    const found = pairs.filter((pair) =>
      (!split || groups[pair.group].split === split) && (!tier || pair.tier === tier) &&
      (!untrusted || pair.untrusted) && (!pictured || pair.pictures) && within(path, pair.path) &&
      within(light, measured(pair, "lightness")) && within(saturated, measured(pair, "saturated")));
    if (sort === "worst") found.sort(worst);
    else if (sort !== "order") found.sort((one, other) => {
      const [left, right] = [unknownLast(keys[sort], one), unknownLast(keys[sort], other)];
      return left === right ? one.number - other.number : left - right;
    });
    return { found, grouped: sort === "order" };
  };

  const inWords = (pair) => [
    pair.path === undefined ? "" : `${pair.path.toFixed(1)} px`,
    pair.measured ? `L* ${measured(pair, "lightness").toFixed(1)}` : "",
  ].filter(Boolean);

  // The gallery: rows at places that are computed, of which only those in sight are in the document.
  const gallery = {
    element: byId("gallery"), rows: [], drawn: new Map(), spare: [], found: [], active: 0,
    layOut() {
      const width = this.element.clientWidth;
      if (!width) return;
      const { found, grouped } = chosen();
      const gap = innerWidth <= 640 ? 10 : 14;
      const columns = Math.max(2, Math.floor((width + gap) / ((innerWidth <= 640 ? 150 : 230) + gap)));
      const cell = (width - gap * (columns - 1)) / columns;
      const height = cell / data.ratio + 40 + gap, headed = innerWidth <= 640 ? 64 : 46;
      this.found = found;
      this.columns = columns;
      this.rows = [];
      let top = 0, start = 0;
      while (start < found.length) {
        const group = found[start].group;
        let stop = found.length;
        if (grouped) {
          stop = start + 1;
          while (stop < found.length && found[stop].group === group) stop += 1;
          this.rows.push({ top, height: headed, group });
          top += headed;
        }
        for (let first = start; first < stop; first += columns) {
          this.rows.push({ top, height, first, stop: Math.min(first + columns, stop) });
          top += height;
        }
        start = stop;
      }
      this.element.style.height = `${top}px`;
      [...this.drawn.keys()].forEach((index) => this.drop(index));
      this.active = Math.min(this.active, Math.max(0, found.length - 1));
      byId("count").textContent = `${found.length.toLocaleString("en")} of ${pairs.length.toLocaleString("en")} pairs`;
      byId("explained").textContent = explained[byId("sort").value] || "";
      this.draw();
    },
    draw() {
      const above = -this.element.getBoundingClientRect().top, margin = 120;
      let low = 0, high = this.rows.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.rows[middle].top + this.rows[middle].height < above - margin) low = middle + 1; else high = middle;
      }
      const wanted = new Set();
      for (let index = low; index < this.rows.length && this.rows[index].top < above + innerHeight + margin; index += 1) wanted.add(index);
      const focused = document.activeElement && document.activeElement.closest("#gallery .row");
      this.drawn.forEach((element, index) => {
        if (!wanted.has(index) && element !== focused) this.drop(index);
      });
      const order = [...wanted].sort((one, other) => one - other);
      order.forEach((index) => {
        if (this.drawn.has(index)) return;
        const element = this.rows[index].group === undefined ? this.drawRow(this.rows[index]) : this.drawGroup(this.rows[index]);
        this.drawn.set(index, element);
        const after = [...this.drawn.keys()].filter((other) => other > index).sort((one, other) => one - other)[0];
        this.element.insertBefore(element, after === undefined ? null : this.drawn.get(after));
      });
    },
    drawGroup(row) {
      const group = groups[row.group];
      const told = [group.split, group.source, group.draws].filter(Boolean).join(" · ");
      const element = make("div", { className: "group" }, make("h3", { textContent: group.id }), make("span", { textContent: told, title: told }));
      element.style.top = `${row.top}px`;
      element.style.height = `${row.height}px`;
      element.setAttribute("role", "presentation");
      return element;
    },
    drawRow(row) {
      const element = make("div", { className: "row" });
      element.style.top = `${row.top}px`;
      element.style.gridTemplateColumns = `repeat(${this.columns}, minmax(0, 1fr))`;
      element.setAttribute("role", "presentation");
      for (let place = row.first; place < row.stop; place += 1) element.append(this.drawCell(place));
      return element;
    },
    // Cells are used again: thousands that are made and dropped would take memory until they are collected.
    drawCell(place) {
      const cell = this.spare.pop() || this.makeCell();
      const pair = this.found[place], words = inWords(pair);
      const [card] = cell.children, [thumb, caption] = card.children;
      const shown = byId("shown").value;
      const there = (shown === SPLIT_VIEW ? [INPUT, TRUTH] : [Number(shown)]).filter((folder) => store(pair.number, folder));
      [...thumb.children].forEach((child, index) => {
        child.hidden = index < 2 ? index >= there.length : there.length > 0;
        if (index < there.length) fill(child, pair.number, there[index]);
      });
      thumb.classList.toggle("none", there.length === 0);
      thumb.lastChild.textContent = pair.pictures ? "picture gone" : "no picture here";
      const told = [pair.name, pair.tier || "", words.join(" · "), pair.untrusted ? "motion!" : ""];
      told.forEach((text, index) => { caption.children[index].textContent = text; });
      card.dataset.place = place;
      card.tabIndex = place === this.active ? 0 : -1;
      card.setAttribute("aria-label", [`pair ${pair.name}`, groups[pair.group].split, ...words, pair.tier || "",
        pair.untrusted ? "inconsistent motion" : "", pair.pictures ? "" : "without pictures"].filter(Boolean).join(", "));
      cell.setAttribute("aria-setsize", this.found.length);
      cell.setAttribute("aria-posinset", place + 1);
      return cell;
    },
    makeCell() {
      const image = () => make("img", { alt: "", decoding: "async", draggable: false });
      const thumb = make("span", { className: "thumb" }, image(), image(), make("span"));
      thumb.style.aspectRatio = String(data.ratio);
      const caption = make("span", { className: "caption" }, make("b"), make("span"), make("span"),
        make("span", { className: "bad", title: "inconsistent motion" }));
      const cell = make("div", { className: "cell" }, make("button", { type: "button", className: "card" }, thumb, caption));
      cell.setAttribute("role", "listitem");
      return cell;
    },
    drop(index) {
      const element = this.drawn.get(index);
      this.spare.push(...element.querySelectorAll(".cell"));
      element.replaceChildren();
      element.remove();
      this.drawn.delete(index);
    },
    focus(place) {
      const row = this.rows.find((each) => each.group === undefined && each.first <= place && place < each.stop);
      if (!row) return;
      const before = this.element.querySelector(`[data-place="${this.active}"]`);
      if (before) before.tabIndex = -1;
      this.active = place;
      const top = row.top + this.element.getBoundingClientRect().top;
      if (top < 60) scrollBy(0, top - 60);
      else if (top + row.height > innerHeight - 8) scrollBy(0, top + row.height - innerHeight + 8);
      this.draw();
      const card = this.element.querySelector(`[data-place="${place}"]`);
      card.tabIndex = 0;
      card.focus({ preventScroll: true });
    },
    move(key) {
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns, Home: -Infinity, End: Infinity };
      if (!(key in steps)) return false;
      this.focus(Math.max(0, Math.min(this.found.length - 1, this.active + steps[key])));
      return true;
    },
  };

  let asked = false;
  const later = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; if (!byId("pictures").hidden) gallery.draw(); });
  };
  addEventListener("scroll", later, { passive: true });
  let width = 0;
  new ResizeObserver(() => {
    if (gallery.element.clientWidth !== width) { width = gallery.element.clientWidth; gallery.layOut(); }
  }).observe(gallery.element);
  gallery.element.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (card) viewer.open(Number(card.dataset.place));
  });
  gallery.element.addEventListener("keydown", (event) => {
    if (event.target.closest(".card") && !event.ctrlKey && !event.metaKey && !event.altKey && gallery.move(event.key)) event.preventDefault();
  });

  // The viewer
  const viewer = {
    element: byId("viewer"), stage: byId("stage"), place: 0, five: false, cut: 50, scale: 1, x: 0, y: 0, left: TRUTH, right: INPUT,
    get pair() { return gallery.found[this.place]; },
    open(place) {
      this.place = place;
      this.show();
      if (!this.element.open) this.element.showModal();
      byId("viewer-title").focus();
      this.fit();
    },
    step(by) {
      const place = this.place + by;
      if (place < 0 || place >= gallery.found.length) return;
      this.place = place;
      this.show();
    },
    show() {
      const pair = this.pair, group = groups[pair.group];
      byId("viewer-title").replaceChildren(pair.name, " ", make("small", { textContent: [group.split, group.id, group.source].filter(Boolean).join(" · ") }));
      byId("previous").disabled = this.place === 0;
      byId("next").disabled = this.place === gallery.found.length - 1;
      byId("left").value = String(this.left);
      byId("right").value = String(this.right);
      byId("five").setAttribute("aria-pressed", String(this.five));
      byId("slider").hidden = this.five;
      byId("left").disabled = byId("right").disabled = this.five;
      this.stage.className = this.five ? "five" : "";
      const shown = this.five ? folders.map((_, folder) => folder) : [this.left, this.right];
      const panes = shown.map((folder, index) => this.pane(folder, index));
      this.stage.replaceChildren(...panes);
      if (!this.five) this.stage.append(make("div", { className: "handle" }));
      this.tell(pair, group);
      this.slide(this.cut);
      this.fit();
    },
    pane(folder, index) {
      const pane = make("div", { className: `pane ${index ? "second" : "first"}` });
      const name = folders[folder].name;
      if (store(this.pair.number, folder)) {
        const image = make("img", { alt: `${name}: ${folders[folder].meaning}`, decoding: "async", draggable: false });
        fill(image, this.pair.number, folder);
        image.addEventListener("load", () => { if (image.isConnected) this.fit(); });
        pane.append(image);
      }
      pane.append(make("span", { className: "label", textContent: name }));
      return pane;
    },
    tell(pair, group) {
      const gone = Object.entries(pair.gone || {}).map(([folder, why]) => `${folders[folder].name}: ${why}`);
      byId("gone").textContent = pair.pictures ? gone.join("; ") : "This page has no pictures of this pair, to keep it small; they are in the dataset.";
      const rows = measures.map((measure, index) => {
        if (!pair.measured) return null;
        const value = pair.measured[index], [low, high] = measure.band, told = value.toFixed(measure.digits);
        const side = Number(told) < low ? " (below real nights)" : Number(told) > high ? " (above real nights)" : "";
        return [measure.label, told + side, side !== ""];
      });
      if (pair.path !== undefined) rows.unshift(["blur", `${pair.path.toFixed(1)} px` + (pair.direction === null ? "" : ` at ${pair.direction}°`) + `, straightness ${pair.straightness}`]);
      if (pair.psnr !== undefined) rows.push(["PSNR in light", `${pair.psnr.toFixed(1)} dB, ${pair.tier}`]);
      if (pair.inconsistent !== undefined) rows.push(["inconsistent motion", `${pair.inconsistent} %`, pair.untrusted]);
      byId("facts").replaceChildren(...rows.filter(Boolean).map(([name, told, bad]) =>
        make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: told, className: bad ? "bad" : "" }))));
      if (group.draws) byId("facts").append(make("div", { className: "whole" }, make("dt", { textContent: "drawn" }), make("dd", { textContent: group.draws })));
    },
    slide(cut) {
      this.cut = Math.max(0, Math.min(100, cut));
      byId("slider").value = this.cut;
      if (this.five || this.stage.children.length < 3) return;
      this.stage.children[1].style.clipPath = `inset(0 0 0 ${this.cut}%)`;
      this.stage.children[2].style.left = `${this.cut}%`;
    },
    // Place and size of a pane, which all of them share.
    get box() { return this.stage.firstElementChild.getBoundingClientRect(); },
    fit() {
      const { width, height } = this.box;
      this.x = Math.min(0, Math.max(width * (1 - this.scale), this.x));
      this.y = Math.min(0, Math.max(height * (1 - this.scale), this.y));
      this.stage.querySelectorAll("img").forEach((image) => {
        image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
        const dots = image.naturalWidth ? this.scale * Math.min(width / image.naturalWidth, height / image.naturalHeight) : 1;
        image.style.imageRendering = dots >= 3 ? "pixelated" : "auto";
      });
      byId("scale").textContent = `${Math.round(100 * this.scale)} %`;
    },
    zoom(factor, x, y) {
      const { width, height } = this.box;
      const [pointX, pointY] = x === undefined ? [width / 2, height / 2] : [x, y];
      const scale = Math.max(1, Math.min(32, this.scale * factor));
      this.x = pointX - (pointX - this.x) * scale / this.scale;
      this.y = pointY - (pointY - this.y) * scale / this.scale;
      this.scale = scale;
      this.fit();
    },
    toggleFive() { this.five = !this.five; this.show(); },
    brighten() {
      const on = this.element.classList.toggle("lift");
      byId("bright").setAttribute("aria-pressed", String(on));
    },
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return false;
      const digit = /^Digit([1-5])$/.exec(event.code);
      const onField = event.target.matches("select, input");
      if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
        if (onField) return false;
        const by = event.key === "ArrowLeft" ? -1 : 1;
        if (event.shiftKey) this.slide(this.cut + 2 * by); else this.step(by);
      } else if (digit) {
        this[event.shiftKey ? "right" : "left"] = Number(digit[1]) - 1;
        this.show();
      } else if (event.key === "+" || event.key === "=") this.zoom(1.5);
      else if (event.key === "-") this.zoom(1 / 1.5);
      else if (event.key === "0") this.zoom(0);
      else if (event.key === "f" || event.key === "F") this.toggleFive();
      else if (event.key === "b" || event.key === "B") this.brighten();
      else return false;
      return true;
    },
  };

  folders.forEach((folder, index) => {
    ["left", "right"].forEach((side) => byId(side).append(make("option", { value: index, textContent: folder.name })));
  });
  byId("shown").append(make("option", { value: SPLIT_VIEW, textContent: "input | truth" }),
    ...folders.map((folder, index) => make("option", { value: index, textContent: folder.name })));
  byId("tier").append(...tiers.map((tier) => make("option", { textContent: tier })));
  ["input", "change"].forEach((kind) => byId("filters").addEventListener(kind, (event) => {
    if (event.target.id === "lift") { document.body.classList.toggle("lift", event.target.checked); return; }
    gallery.active = 0;
    gallery.layOut();
  }));
  byId("filters").addEventListener("reset", () => setTimeout(() => { document.body.classList.remove("lift"); gallery.active = 0; gallery.layOut(); }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("left").addEventListener("change", (event) => { viewer.left = Number(event.target.value); viewer.show(); });
  byId("right").addEventListener("change", (event) => { viewer.right = Number(event.target.value); viewer.show(); });
  byId("five").addEventListener("click", () => viewer.toggleFive());
  byId("bright").addEventListener("click", () => viewer.brighten());
  byId("in").addEventListener("click", () => viewer.zoom(1.5));
  byId("out").addEventListener("click", () => viewer.zoom(1 / 1.5));
  byId("previous").addEventListener("click", () => viewer.step(-1));
  byId("next").addEventListener("click", () => viewer.step(1));
  byId("close").addEventListener("click", () => viewer.element.close());
  byId("slider").addEventListener("input", (event) => viewer.slide(event.target.valueAsNumber));
  viewer.element.addEventListener("keydown", (event) => { if (viewer.key(event)) event.preventDefault(); });
  viewer.element.addEventListener("close", () => {
    viewer.stage.replaceChildren();
    viewer.scale = 1;
    gallery.focus(viewer.place);
  });
  addEventListener("resize", () => { if (viewer.element.open) viewer.fit(); });

  const pointers = new Map();
  const inPane = (event) => {
    const pane = event.target.closest(".pane") || viewer.stage;
    const { left, top } = pane.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  let sliding = false;
  viewer.stage.addEventListener("pointerdown", (event) => {
    viewer.stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const { left, width: whole } = viewer.stage.getBoundingClientRect();
    const near = Math.abs(event.clientX - left - whole * viewer.cut / 100) < 24;
    sliding = !viewer.five && pointers.size === 1 && (viewer.scale === 1 || near);
    if (sliding) viewer.slide(100 * (event.clientX - left) / whole);
  });
  viewer.stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    if (pointers.size === 2) {
      const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)[1];
      const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
      const { left, top } = viewer.box;
      viewer.zoom(apart(now) / Math.max(1, apart(before)), (now[0] + other[0]) / 2 - left, (now[1] + other[1]) / 2 - top);
    } else if (sliding) {
      const { left, width: whole } = viewer.stage.getBoundingClientRect();
      viewer.slide(100 * (event.clientX - left) / whole);
    } else {
      viewer.x += now[0] - before[0];
      viewer.y += now[1] - before[1];
      viewer.fit();
    }
    pointers.set(event.pointerId, now);
  });
  ["pointerup", "pointercancel"].forEach((kind) => viewer.stage.addEventListener(kind, (event) => pointers.delete(event.pointerId)));
  viewer.stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    viewer.zoom(Math.exp(-event.deltaY / 300), ...inPane(event));
  }, { passive: false });

  const unfold = (on) => {
    byId("more").hidden = !on;
    byId("filter").setAttribute("aria-expanded", String(on));
  };
  byId("filter").addEventListener("click", () => unfold(byId("more").hidden));
  unfold(innerWidth > 640);
  addEventListener("hashchange", () => { if (!viewer.element.open) open(); });
  open();
})();

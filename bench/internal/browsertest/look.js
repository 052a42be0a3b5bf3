"use strict";
// The distance, in pixels, by which a text may leave a box, and two texts overlap: rounding.
const slack = 1;
// The least height of a letter's box that can be read, and the least contrast of small text (WCAG 2, AA).
const leastSize = 9, leastContrast = 4.5;
// Lines with less contrast than this are a grid, which texts may lie on.
const gridContrast = 2;

const short = text => JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 60));
const turn = () => new Promise(done => setTimeout(done, 20));

// texts returns the visible texts of a document: their boxes, clipped as their surroundings clip
// them, and finds those that are cut off or leave their figure.
function texts(doc, problems) {
  const view = doc.defaultView, found = [];
  const walker = doc.createTreeWalker(doc.documentElement, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest("head, script, style, title, desc")) continue;
    if (!parent.checkVisibility({visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true})) continue;
    const range = doc.createRange();
    range.selectNodeContents(node);
    const style = view.getComputedStyle(parent);
    for (const r of range.getClientRects()) {
      if (r.width < 1 || r.height < 1) continue;
      const box = {left: r.left, right: r.right, top: r.top, bottom: r.bottom};
      if (clip(box, parent, view, node.data, problems)) found.push({node, parent, style, text: node.data, full: r, ...box});
    }
  }
  return found;
}

// clip cuts a box where its surroundings do, and reports whether anything is left of it. What can
// be scrolled into view is not cut off.
function clip(box, element, view, text, problems) {
  const full = {...box};
  let block = false; // the innermost block around the text was seen
  for (let e = element; e && (e !== e.ownerDocument.documentElement || e instanceof view.SVGElement); e = e.parentElement) {
    const style = view.getComputedStyle(e), b = e.getBoundingClientRect();
    if (e instanceof view.SVGElement) {
      if (e.tagName !== "svg") continue;
      if (full.left < b.left - slack || full.right > b.right + slack || full.top < b.top - slack || full.bottom > b.bottom + slack)
        problems.push(`${short(text)} leaves its figure`);
      continue;
    }
    if (!block && style.display !== "inline" && style.display !== "contents") {
      block = true;
      const hang = style.whiteSpaceCollapse === "preserve" ? 10 : 0; // of a blank at the end of a line
      if (style.overflowX === "visible" && (full.right > b.right + slack + hang || full.left < b.left - slack)) problems.push(`${short(text)} leaves its box`);
    }
    for (const [overflow, start, end] of [["overflowX", "left", "right"], ["overflowY", "top", "bottom"]]) {
      const how = style[overflow];
      if (how === "visible") continue;
      const over = full[start] < b[start] - slack || full[end] > b[end] + slack;
      if (over && overflow === "overflowX" && style.textOverflow === "ellipsis") { // the reader sees that it goes on
        full[start] = Math.max(full[start], b[start]);
        full[end] = Math.min(full[end], b[end]);
      } else if (over && (how === "hidden" || how === "clip")) problems.push(`${short(text)} is cut off`);
      box[start] = Math.max(box[start], b[start]);
      box[end] = Math.min(box[end], b[end]);
    }
  }
  return box.right - box.left > slack && box.bottom - box.top > slack;
}

// overlaps finds texts that overlap. A box is higher than its letters, so its edges do not count.
function overlaps(list, problems) {
  const boxes = list.map(t => {
    const edge = 0.22 * (t.full.bottom - t.full.top);
    return {...t, top: t.top + edge, bottom: t.bottom - edge};
  }).sort((a, b) => a.top - b.top);
  boxes.forEach((a, i) => {
    for (let k = i + 1; k < boxes.length && boxes[k].top < a.bottom - slack; k++) {
      const b = boxes[k];
      if (a.node !== b.node && Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack && Math.min(a.bottom, b.bottom) - b.top > slack)
        problems.push(`${short(a.text)} and ${short(b.text)} overlap`);
    }
  });
}

// rgb returns the parts of a computed colour, or null if it is transparent.
function rgb(text) {
  const m = /^rgba?\(([^)]*)\)$/.exec(text);
  if (!m) return null;
  const parts = m[1].split(/[ ,\/]+/).map(Number);
  return parts.length > 3 && parts[3] < 0.5 ? null : parts.slice(0, 3);
}

function luminance(color) {
  const [r, g, b] = color.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// The colour that an element paints at a point, or null.
function painted(e, view) {
  const style = view.getComputedStyle(e);
  if (e instanceof view.SVGElement) return e.tagName === "svg" || e.tagName === "text" || style.fill === "none" ? null : rgb(style.fill);
  return rgb(style.backgroundColor);
}

// ratio is the contrast of two colours.
function ratio(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

// paper returns the colour of the page itself.
function paper(doc) {
  if (!doc.body) return matchMedia("(prefers-color-scheme:dark)").matches ? [0, 0, 0] : [255, 255, 255];
  const probe = doc.createElement("div");
  probe.style.background = "Canvas";
  doc.body.append(probe);
  const color = rgb(doc.defaultView.getComputedStyle(probe).backgroundColor) || [255, 255, 255];
  probe.remove();
  return color;
}

// legible finds texts that are covered, too small, or have too little contrast to what is behind
// their middle.
function legible(doc, list, problems) {
  const view = doc.defaultView, canvas = paper(doc);
  for (const t of list) {
    const size = t.full.bottom - t.full.top;
    if (size < leastSize) problems.push(`${short(t.text)} is ${size.toFixed(1)} px high`);
    const stack = doc.elementsFromPoint((t.left + t.right) / 2, (t.top + t.bottom) / 2);
    const at = stack.indexOf(t.parent);
    const over = (at < 0 ? stack : stack.slice(0, at)).filter(e => !t.parent.contains(e) && !e.contains(t.parent));
    if (over.some(e => painted(e, view) || e.tagName === "path")) problems.push(`${short(t.text)} is covered by ${over[0].outerHTML.slice(0, 80)}`);
    t.back = stack.slice(Math.max(at, 0)).map(e => painted(e, view)).find(Boolean) || canvas;
    const color = rgb(t.parent instanceof view.SVGElement ? t.style.fill : t.style.color) || canvas;
    const contrast = ratio(t.back, color);
    if (contrast < leastContrast) problems.push(`${short(t.text)} has a contrast of ${contrast.toFixed(1)}: ${color} on ${t.back}`);
    if (t.style.userSelect === "none") problems.push(`${short(t.text)} cannot be selected`);
  }
}

// drawn returns the colour of the line that an element of a figure draws, or null.
function drawn(e, view) {
  const style = view.getComputedStyle(e);
  return style.stroke === "none" || parseFloat(style.strokeWidth) === 0 || e.tagName === "text" ? null : rgb(style.stroke);
}

// isFlat reports whether an element is a straight line, which has nothing inside.
function isFlat(e) {
  const {width, height} = e.getBBox();
  return width === 0 || height === 0;
}

// crosses reports whether the line of an element has a point in a box.
function crosses(e, box) {
  const matrix = e.getScreenCTM(), length = e.getTotalLength();
  for (let at = 0; at <= length; at += 2) {
    const p = e.getPointAtLength(at).matrixTransform(matrix);
    if (p.x > box.left && p.x < box.right && p.y > box.top && p.y < box.bottom) return true;
  }
  return false;
}

// marked finds texts in figures that a line crosses, or that lie half on an area.
function marked(doc, list, problems) {
  const view = doc.defaultView, shapes = new Map(); // by figure
  for (const t of list) {
    const figure = t.parent instanceof view.SVGElement && t.parent.ownerSVGElement;
    if (!figure) continue;
    if (!shapes.has(figure)) shapes.set(figure, [...figure.querySelectorAll("path, line, polyline, rect, circle")].map(e =>
      ({e, box: e.getBoundingClientRect(), line: drawn(e, view), area: isFlat(e) ? null : painted(e, view)})));
    const edge = 0.25 * (t.full.bottom - t.full.top);
    const text = {left: t.left + slack, right: t.right - slack, top: t.top + edge, bottom: t.bottom - edge};
    for (const {e, box, line, area} of shapes.get(figure)) {
      if (box.left > text.right || box.right < text.left || box.top > text.bottom || box.bottom < text.top) continue;
      const whole = box.left <= text.left && box.right >= text.right && box.top <= text.top && box.bottom >= text.bottom;
      if (line && ratio(line, t.back) >= gridContrast && crosses(e, text)) problems.push(`${short(t.text)} is crossed by ${e.outerHTML.slice(0, 80)}`);
      else if (area && !whole && ratio(area, t.back) >= gridContrast) problems.push(`${short(t.text)} lies half on ${e.outerHTML.slice(0, 80)}`);
    }
  }
}

function measure(doc, width, least) {
  const problems = [], root = doc.documentElement;
  if (root.scrollWidth > width) {
    const wide = [...root.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > width + slack).pop();
    problems.push(`it scrolls sideways: it is ${root.scrollWidth} px wide, as ${wide ? wide.outerHTML.slice(0, 80) : "something"} is`);
  }
  if (doc.body && !doc.querySelector("meta[name=viewport][content*='width=device-width']")) problems.push("it does not adapt to the width of a phone");
  const list = texts(doc, problems);
  overlaps(list, problems);
  legible(doc, list, problems);
  marked(doc, list, problems);
  const figures = [...doc.querySelectorAll("svg")].filter(s => s.querySelector("text")).length;
  if (list.length < 4) problems.push(`it has only ${list.length} texts`);
  if (figures < least) problems.push(`${figures} figures have texts, want ${least}`);
  return {texts: list.length, figures, problems: [...new Set(problems)]};
}

// open loads a page into a frame and calls see for each of its states, at its full height. What is above
// from is out of sight.
async function open(page, width, from, patience, see) {
  const frame = document.createElement("iframe");
  frame.style.width = width + "px";
  frame.style.height = "800px";
  frame.style.marginTop = -from + "px";
  frame.src = page.Name + "/";
  const loaded = new Promise(done => frame.onload = done);
  document.body.append(frame);
  await loaded;
  for (const step of [{Name: "", Do: "", Wait: "body, svg"}, ...(page.Steps || [])]) {
    new Function("doc", step.Do)(frame.contentDocument);
    let missing = false;
    for (const begin = Date.now(); !frame.contentDocument.querySelector(step.Wait); await turn())
      if (Date.now() - begin > patience && (missing = true)) break;
    const doc = frame.contentDocument;
    for (const d of doc.querySelectorAll("details")) d.open = true;
    await doc.fonts.ready;
    await turn();
    if (doc.body) frame.style.height = Math.min(doc.documentElement.scrollHeight, 60000) + "px";
    await turn();
    if (see(doc, step, missing)) return;
  }
  frame.remove();
}

async function main() {
  const {pages, widths, patience} = await (await fetch("pages.json")).json();
  const show = new URLSearchParams(location.hash.slice(1));
  if (show.has("show"))
    return open(pages.find(p => p.Name === show.get("show")), show.get("width"), show.get("from"), patience, (_, step) => step.Name === show.get("step"));
  const looks = [];
  for (const page of pages) {
    for (const width of widths) {
      try {
        await open(page, width, 0, patience, (doc, step, missing) => {
          const look = measure(doc, width, page.Figures);
          if (missing) look.problems.push(`${step.Wait} is missing`);
          looks.push({page: page.Name, step: step.Name && ": " + step.Name, width, height: doc.documentElement.scrollHeight, ...look});
        });
      } catch (e) {
        looks.push({page: page.Name, step: "", width, problems: [String(e && e.stack || e)]});
      }
    }
  }
  await fetch("result", {method: "POST", body: JSON.stringify(looks)});
}
addEventListener("load", main);

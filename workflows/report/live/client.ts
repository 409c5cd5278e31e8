/**
 * The script of a live page: puts in the parts that changed and leaves everything else as it is, so that nothing flickers, scrolls
 * away or folds up.
 */

/** The script, as the page gets it. */
export const CLIENT: string = `
const main = document.getElementById("content");
const heard = () => document.getElementById("heard");
let last = Date.now();
let over = false;

function fresh(markup) {
  const template = document.createElement("template");
  template.innerHTML = markup;
  return template.content.firstElementChild;
}

// What the reader has opened, focused or scrolled sideways stays so.
function replace(old, next) {
  for (const details of old.querySelectorAll("details[open]")) {
    next.querySelector("#" + CSS.escape(details.id))?.setAttribute("open", "");
  }
  const active = old.contains(document.activeElement) && document.activeElement.id;
  const scrolled = [...old.querySelectorAll(".chart, .scroll")].map((box) => box.scrollLeft);
  old.replaceWith(next);
  [...next.querySelectorAll(".chart, .scroll")].forEach((box, i) => { box.scrollLeft = scrolled[i] ?? 0; });
  if (active) document.getElementById(active)?.focus({ preventScroll: true });
}

const { state } = document.querySelector("script[data-state]").dataset;
const source = new EventSource("/events?state=" + state);
source.addEventListener("news", ({ data }) => {
  const { order, parts, ended } = JSON.parse(data);
  last = Date.now();
  for (const id of order) {
    const markup = parts[id];
    if (markup === undefined) continue;
    if (id === "title") { document.title = markup; continue; }
    const old = document.getElementById(id);
    if (old) replace(old, fresh(markup));
    else main.append(fresh(markup));
  }
  for (const section of [...main.children]) if (!order.includes(section.id)) section.remove();
  // Sections that are new stand in their place.
  let before = null;
  for (const id of order) {
    const section = document.getElementById(id);
    if (!section || section.parentElement !== main) continue;
    const next = before ? before.nextElementSibling : main.firstElementChild;
    if (next !== section) main.insertBefore(section, next);
    before = section;
  }
  if (ended) { over = true; source.close(); }
  tick();
});
source.addEventListener("error", tick);

function tick() {
  const place = heard();
  if (!place) return;
  const seconds = Math.round((Date.now() - last) / 1000);
  place.textContent = over ? "the run has ended"
    : source.readyState === EventSource.OPEN ? (seconds < 5 ? "" : "last looked " + seconds + " s ago")
    : "no connection: the run has stopped, or its server has";
}
setInterval(tick, 1000);
`;

// Keys of the lists: `/` to the search field, j and k from row to row, Enter opens (the row's link
// holds the focus, so the browser does that by itself).

const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

function step(by) {
  const links = [...document.querySelectorAll("[data-list] a[data-open]")];
  if (links.length === 0) return;
  const at = links.findIndex((link) => link.closest("tr, li")?.contains(document.activeElement));
  const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1);
  links[next].focus();
  links[next].scrollIntoView({ block: "nearest" });
}

export function moveByKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") {
      document.querySelectorAll("details.menu[open]").forEach((menu) => (menu.open = false));
      return;
    }
    if (isTyping(event.target)) return;
    if (event.key === "/") {
      const field = document.querySelector("[data-search]");
      if (!field) return;
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
  });
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
}

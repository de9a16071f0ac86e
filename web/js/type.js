// Large type, remembered on this computer.
const KEY = "luodi.large";

export function readTypeSize() {
  const root = document.documentElement;
  const button = document.querySelector("[data-large-type]");
  const set = (large) => {
    root.classList.toggle("large", large);
    button?.setAttribute("aria-pressed", String(large));
  };
  let large = false;
  try {
    large = localStorage.getItem(KEY) === "1";
  } catch {
    // storage forbidden: the button works for this page only
  }
  if (large) set(true);
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    set(!root.classList.contains("large"));
    try {
      localStorage.setItem(KEY, root.classList.contains("large") ? "1" : "0");
    } catch {
      // see above
    }
  });
}

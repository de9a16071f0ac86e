// Small help in forms: confirming, copying, the size of files before they are sent, one press one
// request, all rows of a list at once. Listens on the document, so fragments need no wiring.

function sizeInWords(bytes) {
  if (bytes < 1024 * 1024) return `${Math.max(1, Math.round(bytes / 1024))} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function listFiles(input) {
  const limit = Number(input.dataset.maxBytes) || Infinity;
  const place = document.getElementById(`files-${input.name}`);
  const over = [...input.files].filter((file) => file.size > limit);
  input.setCustomValidity(over.length ? `${over[0].name} 有 ${sizeInWords(over[0].size)}，每个文件最多 ${sizeInWords(limit)}` : "");
  if (over.length) input.reportValidity();
  place?.replaceChildren(
    ...[...input.files].map((file) => {
      const row = document.createElement("li");
      const size = document.createElement("span");
      row.append(file.name, size);
      size.className = file.size > limit ? "size over" : "size";
      size.textContent = sizeInWords(file.size) + (file.size > limit ? "，太大" : "");
      return row;
    }),
  );
}

async function copy(button) {
  const source = button.dataset.copyFrom ? document.querySelector(button.dataset.copyFrom) : null;
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(source ? source.textContent.trim() : button.dataset.copy);
    button.textContent = "已复制";
  } catch {
    button.textContent = "请手工复制";
  }
  setTimeout(() => (button.textContent = said), 2000);
}

function onClick(event) {
  const button = event.target.closest("button, a");
  if (!button) return;
  if (button.dataset.confirm && !window.confirm(button.dataset.confirm)) event.preventDefault();
  else if ("print" in button.dataset) window.print();
  else if ("copy" in button.dataset || "copyFrom" in button.dataset) copy(button);
}

function onChange(event) {
  const input = event.target;
  if (input.type === "file") listFiles(input);
  if (input.dataset.checkAll) {
    document.querySelectorAll(`input[name="${input.dataset.checkAll}"]`).forEach((box) => (box.checked = input.checked));
  }
}

/** The pressed button is disabled only after the browser has taken its name and value. A form that
    answers with a file leaves its page standing, so it may be sent again. */
function onSubmit(event) {
  if ("download" in event.target.dataset) return;
  const buttons = event.target.querySelectorAll("button:not([type=button])");
  setTimeout(() => {
    if (event.defaultPrevented) return;
    buttons.forEach((button) => {
      button.disabled = true;
      button.setAttribute("aria-busy", "true");
    });
  });
}

/** Back from the browser's memory: the buttons must press again. */
function onPageShow(event) {
  if (!event.persisted) return;
  document.querySelectorAll("button[aria-busy]").forEach((button) => {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  });
}

export function helpForms() {
  document.addEventListener("click", onClick);
  document.addEventListener("change", onChange);
  document.addEventListener("submit", onSubmit);
  window.addEventListener("pageshow", onPageShow);
  document.querySelector("[data-print]")?.removeAttribute("hidden");
  document.getElementById("errors")?.focus();
}

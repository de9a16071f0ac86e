// Keeps what is typed into a long form (`<form data-draft="task-…">`) on this computer, so that an
// expired session, a closed window or a lost connection costs no text. Kept per account, for a week,
// and never for fields marked `data-private` (personal data), passwords or files.

const PREFIX = "luodi.draft:";
const KEEP_MS = 7 * 24 * 3600 * 1000;
const DRAFT_FIELDS = "input[name], textarea[name], select[name]";
const NEVER = ["hidden", "password", "file", "submit", "button"];

const account = () => document.body.dataset.user ?? "";
const storageKey = (form) => `${PREFIX}${account()}:${form.dataset.draft}`;

function fieldsOf(form) {
  return [...form.querySelectorAll(DRAFT_FIELDS)].filter(
    (field) => !NEVER.includes(field.type) && !field.hasAttribute("data-private"),
  );
}

const isPick = (field) => field.type === "checkbox" || field.type === "radio";

/** The form's values in order; a list, because a repeated group repeats its names. */
function valuesOf(form) {
  return fieldsOf(form).map((field) => [field.name, isPick(field) ? field.checked : field.value]);
}

function putValues(form, values) {
  const fields = fieldsOf(form);
  const sameShape = fields.length === values.length && fields.every((f, i) => f.name === values[i][0]);
  if (!sameShape) return false;
  fields.forEach((field, i) => {
    if (isPick(field)) field.checked = values[i][1];
    else field.value = values[i][1];
  });
  return true;
}

function read(key) {
  try {
    const draft = JSON.parse(localStorage.getItem(key));
    return draft && Date.now() - draft.at < KEEP_MS ? draft : null;
  } catch {
    return null;
  }
}

function write(key, draft) {
  try {
    localStorage.setItem(key, JSON.stringify(draft));
    return true;
  } catch {
    return false; // storage full or forbidden: the page still works, only without a draft
  }
}

function allKeys() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  } catch {
    return [];
  }
}

const clockOf = (ms) => new Date(ms).toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit" });

function note(form, text, action, onAction) {
  const place = form.querySelector("[data-draft-note]") ?? form.insertBefore(document.createElement("p"), form.firstChild);
  place.className = "draft-note mb-2";
  place.setAttribute("role", "status");
  place.textContent = text;
  if (!action) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link ms-2";
  button.textContent = action;
  button.addEventListener("click", onAction);
  place.append(button);
}

function keep(form) {
  const key = storageKey(form);
  const fromServer = valuesOf(form);
  const same = (values) => JSON.stringify(values) === JSON.stringify(fromServer);
  let dirty = false;
  let timer = 0;

  const draft = read(key);
  if (draft && !same(draft.values) && putValues(form, draft.values)) {
    dirty = true;
    note(form, `已恢复您 ${clockOf(draft.at)} 填写、尚未提交的内容。`, "放弃，用原来的内容", () => {
      putValues(form, fromServer);
      localStorage.removeItem(key);
      dirty = false;
      note(form, "已还原。");
    });
  }

  const save = () => {
    clearTimeout(timer);
    if (!dirty) return;
    const at = Date.now();
    if (write(key, { at, values: valuesOf(form) })) note(form, `${clockOf(at)} 已暂存在本机，尚未提交。`);
  };
  form.addEventListener("input", () => {
    dirty = true;
    clearTimeout(timer);
    timer = setTimeout(save, 800);
  });
  form.addEventListener("submit", () => {
    write(key, { at: Date.now(), values: valuesOf(form), sent: true });
    dirty = false;
  });
  window.addEventListener("pagehide", save);
  window.addEventListener("beforeunload", (event) => {
    if (dirty && form.hasAttribute("data-guard")) event.preventDefault();
  });
}

/** Whether this page shows that the form sent last did not arrive: refused, logged out, or gone back to. */
function sendingFailed() {
  const arrival = performance.getEntriesByType("navigation")[0];
  return location.pathname === "/login" || arrival?.responseStatus >= 400 || arrival?.type === "back_forward";
}

/** Sent drafts are open again after a failure, and done with on any other page of their account. */
function settle() {
  const failed = sendingFailed();
  for (const key of allKeys()) {
    const draft = read(key);
    if (!draft) localStorage.removeItem(key);
    else if (draft.sent && failed) write(key, { ...draft, sent: false });
    else if (draft.sent && account() && key.startsWith(`${PREFIX}${account()}:`)) localStorage.removeItem(key);
  }
}

export function keepDrafts() {
  settle();
  if (!account()) return;
  document.querySelectorAll("form[data-draft]").forEach(keep);
  // Leaving for good: nothing of this account stays on a shared computer.
  document.querySelector("form[data-logout]")?.addEventListener("submit", () => {
    allKeys().filter((key) => key.startsWith(`${PREFIX}${account()}:`)).forEach((key) => localStorage.removeItem(key));
  });
}

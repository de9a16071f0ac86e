// What the pages gain from script: htmx fragments, drafts, keys, copying, hints before an upload.
// Every page works without it.
import "htmx.org";
import { guardHtmx } from "./fragments.js";
import { keepDrafts } from "./drafts.js";
import { moveByKeys } from "./keys.js";
import { helpForms } from "./forms.js";
import { readTypeSize } from "./type.js";

guardHtmx();
document.addEventListener("DOMContentLoaded", () => {
  readTypeSize();
  moveByKeys();
  helpForms();
  keepDrafts();
});

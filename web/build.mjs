// Builds what the browser loads into dist/: luodi.css, luodi.js and the pictures of static/.
// Tabler is cut down to the classes that templates and Rust sources really use, so a page may use
// any Tabler class and pays only for what is used. The limits at the foot keep the pages light.
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import path from "node:path";
import * as esbuild from "esbuild";
import postcss from "postcss";
import { PurgeCSS } from "purgecss";

const here = path.dirname(fileURLToPath(import.meta.url));
const app = path.join(here, "..", "crates", "luodi");
const dist = path.join(here, "dist");

const LIMIT_CSS_BYTES = 30_000;
const LIMIT_JS_BYTES = 20_000;
// Chromium of two years ago and its contemporaries.
const TARGET = ["chrome120", "firefox121", "safari17"];

/** Writes a file of dist/ only where it changed: the binary embeds it and would be built anew. */
async function put(name, content) {
  const file = path.join(dist, name);
  const before = await readFile(file).catch(() => null);
  if (before === null || !before.equals(Buffer.from(content))) await writeFile(file, content);
}

/** Rules the pages can never meet: dark theme and right-to-left. */
function dropUnused(css) {
  const root = postcss.parse(css);
  root.walkRules((rule) => {
    rule.selectors = rule.selectors.filter((s) => !/data-bs-theme=["']?dark|\[dir=rtl\]/.test(s));
    if (rule.selectors.length === 0 || rule.selector === "") rule.remove();
  });
  root.walkComments((comment) => comment.remove());
  root.walkAtRules((at) => {
    if (at.nodes && at.nodes.length === 0) at.remove();
  });
  return root.toString();
}

/** Tabler without what nobody uses: every word of a template or source counts as a possible class. */
async function tabler() {
  const css = await readFile(path.join(here, "node_modules/@tabler/core/dist/css/tabler.css"), "utf8");
  const [purged] = await new PurgeCSS().purge({
    content: [
      path.join(app, "templates/**/*.html"),
      path.join(app, "src/**/*.rs"),
      path.join(here, "js/*.js"),
    ],
    css: [{ raw: dropUnused(css) }],
    defaultExtractor: (text) => text.match(/[A-Za-z0-9_-]+/g) ?? [],
    keyframes: true,
    variables: true,
    fontFace: true,
  });
  return purged.css;
}

async function buildCss() {
  const ours = await readFile(path.join(here, "css/luodi.css"), "utf8");
  const { code } = await esbuild.transform(`${await tabler()}\n${ours}`, {
    loader: "css",
    minify: true,
    target: TARGET,
    charset: "utf8",
    legalComments: "none",
  });
  // Fonts and pictures of other hosts would be refused by the Content-Security-Policy: fail here instead.
  const outside = code.match(/url\((?!["']?data:|["']?[\w.-]+\.svg["']?\))[^)]{0,80}/);
  if (outside) throw new Error(`luodi.css loads from outside: ${outside[0]}`);
  return code;
}

async function buildJs() {
  const { outputFiles } = await esbuild.build({
    entryPoints: [path.join(here, "js/main.js")],
    bundle: true,
    minify: true,
    format: "iife",
    target: TARGET,
    charset: "utf8",
    legalComments: "none",
    write: false,
  });
  return outputFiles[0].text;
}

function check(name, text, limit) {
  const bytes = gzipSync(text, { level: 9 }).length;
  console.log(`${name}: ${Buffer.byteLength(text)} bytes, ${bytes} compressed (limit ${limit})`);
  if (bytes > limit) throw new Error(`${name} is ${bytes} bytes compressed, more than ${limit}`);
}

const built = { "luodi.css": await buildCss(), "luodi.js": await buildJs() };
for (const name of await readdir(path.join(here, "static"))) {
  built[name] = await readFile(path.join(here, "static", name));
}
check("luodi.css", built["luodi.css"], LIMIT_CSS_BYTES);
check("luodi.js", built["luodi.js"], LIMIT_JS_BYTES);
await mkdir(dist, { recursive: true });
for (const name of await readdir(dist)) {
  if (!(name in built)) await rm(path.join(dist, name), { recursive: true });
}
for (const [name, content] of Object.entries(built)) await put(name, content);

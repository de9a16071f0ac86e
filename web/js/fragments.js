// htmx within the Content-Security-Policy: no evaluated strings, no injected styles.
// (The style sheet for indicators is switched off by the meta tag in templates/layout/head.html.)

function refuseCode() {
  throw new Error("Luodi pages hold no code in attributes");
}

export function guardHtmx() {
  const htmx = window.htmx;
  htmx.registerExtension("no-eval", {
    init: (api) => api.initSecurity(null, refuseCode, refuseCode),
  });
  // A fragment must not show the log-in page inside a table when the session has ended.
  document.addEventListener("htmx:before:response", (event) => {
    const response = event.detail.ctx.response;
    const loggedOut = response.status === 401 || new URL(response.raw.url).pathname === "/login";
    if (!loggedOut) return;
    event.preventDefault();
    const back = encodeURIComponent(location.pathname + location.search);
    location.assign(`/login?next=${back}`);
  });
}

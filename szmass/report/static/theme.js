// Light or dark as the system has it, until the reader chooses; loaded before the page is drawn.
(function () {
  "use strict";
  const root = document.documentElement;
  let chosen = null;
  try { chosen = localStorage.getItem("szmass-theme"); } catch (error) { /* storage is off */ }
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  document.addEventListener("DOMContentLoaded", function () {
    const button = document.getElementById("theme");
    button.hidden = false;
    button.addEventListener("click", function () {
      const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
      try { localStorage.setItem("szmass-theme", root.dataset.theme); } catch (error) { /* off */ }
      document.dispatchEvent(new Event("szmass:theme"));
    });
  });
})();

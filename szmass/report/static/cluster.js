// A cluster's page: arrow keys turn the pages, and the way back keeps search and order.
(function () {
  "use strict";
  try {
    const state = sessionStorage.getItem("szmass-table");
    if (state) document.getElementById("back").hash = state;
  } catch (error) { /* storage is off */ }
  document.addEventListener("keydown", function (event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea, .scroll")) return;
    const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const link = rel && document.querySelector(`a[rel="${rel}"]`);
    if (link) link.click();
  });
})();

// Filters over the examples that the page already shows; without this script all of them stay readable.
(function () {
  "use strict";
  const filters = document.getElementById("filters");
  if (!filters) return;
  const byId = (id) => document.getElementById(id);
  const set = byId("f-set"), model = byId("f-model"), outcome = byId("f-outcome"), text = byId("f-text");
  const groups = Array.from(document.querySelectorAll("details.group"), (element) => ({
    element,
    set: element.dataset.set,
    wasOpen: element.open,
    examples: Array.from(element.querySelectorAll("article.example"), (example) => ({
      element: example,
      outcomes: example.dataset.outcomes.trim().split(" "),
      // Removed characters are left out of the search, so that a shifted word is found as it reads.
      text: wordsOf(example).toLowerCase(),
    })),
  }));
  const total = groups.reduce((sum, group) => sum + group.examples.length, 0);

  function wordsOf(example) {
    const shifted = example.cloneNode(true);
    shifted.querySelectorAll("del").forEach((removed) => removed.remove());
    return example.textContent + " \n " + shifted.textContent;
  }

  function fits(example, wanted) {
    if (wanted && !example.text.includes(wanted)) return false;
    if (!model.value && !outcome.value) return true;
    return example.outcomes.some((entry) => {
      const [m, o] = entry.split(":");
      return (!model.value || m === model.value) && (!outcome.value || o === outcome.value);
    });
  }

  function apply() {
    const wanted = text.value.trim().toLowerCase();
    const active = Boolean(set.value || model.value || outcome.value || wanted);
    let shown = 0;
    for (const group of groups) {
      let here = 0;
      for (const example of group.examples) {
        const fit = (!set.value || set.value === group.set) && fits(example, wanted);
        example.element.hidden = !fit;
        if (fit) here += 1;
      }
      group.element.hidden = here === 0;
      group.element.open = active ? here > 0 : group.wasOpen;
      shown += here;
    }
    byId("f-count").textContent = active ? shown + " of " + total + " examples" : total + " examples";
  }

  for (const control of [set, model, outcome]) control.addEventListener("change", apply);
  text.addEventListener("input", apply);
  byId("f-clear").addEventListener("click", () => {
    for (const control of [set, model, outcome, text]) control.value = "";
    apply();
    set.focus();
  });
  // Paper has no folds: what is closed is opened for printing, and closed again after it.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = groups.filter((group) => !group.element.open);
    closed.forEach((group) => { group.element.open = true; });
  });
  window.addEventListener("afterprint", () => {
    closed.forEach((group) => { group.element.open = false; });
  });
  filters.hidden = false;
  apply();
})();

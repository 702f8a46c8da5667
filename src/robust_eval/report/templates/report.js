// Filters and orders over the examples that the page already shows; without this script all of them stay readable.
(function () {
  "use strict";
  // Paper has no folds: what is closed is opened for printing, and closed again after it.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = Array.from(document.querySelectorAll("details:not([open])"));
    closed.forEach((fold) => { fold.open = true; });
  });
  window.addEventListener("afterprint", () => {
    closed.forEach((fold) => { fold.open = false; });
  });

  const filters = document.getElementById("filters");
  if (!filters) return;
  const byId = (id) => document.getElementById(id);
  const set = byId("f-set"), model = byId("f-model"), outcome = byId("f-outcome");
  const reason = byId("f-reason"), order = byId("f-order"), text = byId("f-text");
  const together = byId("together");
  const groups = Array.from(document.querySelectorAll("details.group"), (element) => ({
    element,
    set: element.dataset.set,
    wasOpen: element.open,
    examples: Array.from(element.querySelectorAll("article.example"), (example) => ({
      element: example,
      outcomes: example.dataset.outcomes.trim().split(" "),
      reason: example.dataset.reason,
      rank: Number(example.dataset.rank),
      // Unpaired texts were not edited: they come last when the smallest edit comes first.
      edit: example.dataset.edit === "" ? Infinity : Number(example.dataset.edit),
      words: null,
    })),
  }));
  const all = groups.flatMap((group) => group.examples);
  const orders = {
    rank: (a, b) => a.rank - b.rank,
    edit: (a, b) => (a.edit === b.edit ? a.rank - b.rank : a.edit - b.edit),
  };

  // What an example says, once as printed and once without what was removed, so that a shifted word is found
  // as it reads. Read only when somebody searches.
  function wordsOf(example) {
    if (example.words === null) {
      const shifted = example.element.cloneNode(true);
      shifted.querySelectorAll("del").forEach((removed) => removed.remove());
      example.words = (example.element.textContent + " \n " + shifted.textContent).toLowerCase();
    }
    return example.words;
  }

  function fits(example, wanted) {
    if (reason.value && example.reason !== reason.value) return false;
    if (model.value || outcome.value) {
      const found = example.outcomes.some((entry) => {
        const [m, o] = entry.split(":");
        return (!model.value || m === model.value) && (!outcome.value || o === outcome.value);
      });
      if (!found) return false;
    }
    return !wanted || wordsOf(example).includes(wanted);
  }

  function apply() {
    const wanted = text.value.trim().toLowerCase();
    const active = Boolean(set.value || model.value || outcome.value || reason.value || wanted);
    const flat = Boolean(order.value);
    let shown = 0;
    for (const group of groups) {
      let here = 0;
      for (const example of group.examples) {
        const fit = (!set.value || set.value === group.set) && fits(example, wanted);
        example.element.hidden = !fit;
        if (fit) here += 1;
      }
      group.element.hidden = flat || here === 0;
      group.element.open = active ? here > 0 : group.wasOpen;
      shown += here;
    }
    byId("f-count").textContent = active ? shown + " of " + all.length + " examples" : all.length + " examples";
  }

  function arrange() {
    together.hidden = !order.value;
    if (order.value) {
      together.append(...all.slice().sort(orders[order.value]).map((example) => example.element));
    } else {
      for (const group of groups) group.element.append(...group.examples.map((example) => example.element));
    }
    apply();
  }

  const choices = [set, model, outcome, reason];
  for (const control of choices) control.addEventListener("change", apply);
  order.addEventListener("change", arrange);
  text.addEventListener("input", apply);
  byId("f-clear").addEventListener("click", () => {
    for (const control of [...choices, order, text]) control.value = "";
    arrange();
    set.focus();
  });
  filters.hidden = false;
  // A browser that keeps a form's state over a reload would show filters that are not in force.
  for (const control of [...choices, order, text]) control.value = "";
  apply();
})();

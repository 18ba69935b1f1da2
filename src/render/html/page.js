"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const NAME = 0, STANDING = 1, CHAIN = 2, GROUP = 3, USER = 4, EXCLUSION = 5, BLOCKERS = 6, EFFECTS = 7;
  const PAGE = 100;
  const $ = (id) => document.getElementById(id);
  // Text only ever becomes text: nothing here reads markup.
  const el = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const devices = data.devices;
  const at = new Map(devices.map((device, place) => [device[NAME], place]));
  // What a search looks through, once.
  const haystack = devices.map((device) => [
    device[NAME], device[USER], device[EXCLUSION] < 0 ? "" : data.exclusions[device[EXCLUSION]][0],
    ...device[BLOCKERS].map((blocker) => blocker[0]),
  ].join("\n").toLowerCase());
  const classes = ["migrate", "resume", "blocked", "excluded", "done", "no-wave"];
  let shown = [], drawn = 0, open = -1, opener = null;

  const about = (device) => {
    if (device[BLOCKERS].length) return device[BLOCKERS].map((blocker) => blocker[0]).join(", ");
    if (device[EXCLUSION] >= 0) return "exclusion " + data.exclusions[device[EXCLUSION]][0];
    return device[USER];
  };
  const link = (name) => "#device=" + encodeURIComponent(name);
  const row = (place) => {
    const device = devices[place];
    const button = el("button", { type: "button", class: "link", "data-place": place }, device[NAME]);
    const standing = el("span", { class: "tag " + classes[device[STANDING]] }, data.standings[device[STANDING]]);
    return el("tr", place === open ? { "aria-selected": "true" } : {}, el("th", { scope: "row" }, button), el("td", {}, standing), el("td", {}, about(device)));
  };
  const more = () => {
    const next = shown.slice(drawn, drawn + PAGE);
    $("rows").append(...next.map(row));
    drawn += next.length;
    $("more").hidden = drawn >= shown.length;
    $("more").textContent = "Show " + Math.min(PAGE, shown.length - drawn) + " more";
  };
  const filter = () => {
    const words = $("q").value.toLowerCase().split(/\s+/).filter(Boolean);
    const standing = $("standing").value, group = $("group").value;
    const code = group.startsWith("c") ? group.slice(1) : null;
    const alike = group.startsWith("g") ? Number(group.slice(1)) : null;
    shown = [];
    for (let place = 0; place < devices.length; place++) {
      const device = devices[place];
      if (standing !== "" && device[STANDING] !== Number(standing)) continue;
      if (alike !== null && device[GROUP] !== alike) continue;
      if (code !== null && !device[BLOCKERS].some((blocker) => blocker[0] === code)) continue;
      if (!words.every((word) => haystack[place].includes(word))) continue;
      shown.push(place);
    }
    drawn = 0;
    $("rows").replaceChildren();
    more();
    const all = devices.length;
    $("count").textContent = shown.length === all ? all + (all === 1 ? " device" : " devices") : shown.length + " of " + all + " devices";
  };

  const effects = (device) => {
    const found = new Map();
    const list = device[EFFECTS];
    for (let i = 0; i < list.length; i += 3) found.set(list[i], [data.texts[list[i + 1]], data.texts[list[i + 2]]]);
    return found;
  };
  const operations = (device) => {
    const list = el("ul", { class: "diff" });
    const changed = effects(device);
    const marks = { do: "runs", nothing: "is so", wait: "waits", skip: "left out", blocked: "blocked" };
    let crossed = false;
    const quiet = new Map();
    for (const [op, action, reason] of data.chains[device[CHAIN]] || []) {
      const [name, does, committed] = data.operations[op] || ["?", "", 0];
      if (action === "skip" || action === "nothing") {
        const why = marks[action] + ": " + data.reasons[reason];
        quiet.set(why, (quiet.get(why) || []).concat(name));
        continue;
      }
      if (action === "do" && committed && !crossed) {
        crossed = true;
        list.append(el("li", { class: "boundary" }, "point of no return"));
      }
      const item = el("li", { class: action + (committed && action === "do" ? " committed" : "") }, el("code", {}, name), " " + does);
      if (action !== "do") item.append(el("span", { class: "why" }, " (" + marks[action] + ": " + data.reasons[reason] + ")"));
      const effect = changed.get(op);
      if (effect) item.append(el("del", { "aria-label": "before" }, effect[0]), el("ins", { "aria-label": "after" }, effect[1]));
      list.append(item);
    }
    for (const [why, names] of quiet) {
      const item = el("li", { class: "skip" }, why + ": ");
      names.forEach((name, place) => item.append(el("code", {}, name), place + 1 < names.length ? ", " : ""));
      list.append(item);
    }
    return list;
  };
  const show = (place, focus) => {
    const device = devices[place];
    open = place;
    const panel = $("device");
    const copied = el("span", { role: "status" });
    const copy = el("button", { type: "button", id: "copy" }, "Copy link");
    copy.addEventListener("click", async () => {
      history.replaceState(null, "", link(device[NAME]));
      try {
        await navigator.clipboard.writeText(location.href);
        copied.textContent = "Copied.";
      } catch {
        // Pages from a disk may not be let near the clipboard; the address bar holds the link all the same.
        copied.textContent = "The address bar holds the link.";
      }
    });
    const shut = el("button", { type: "button", id: "close" }, "Close");
    shut.addEventListener("click", () => close());
    const parts = [
      el("h3", { id: "device-h" }, device[NAME] + " ", el("span", { class: "tag " + classes[device[STANDING]] }, data.standings[device[STANDING]])),
      el("div", { class: "tools" }, copy, shut, copied),
    ];
    if (device[USER]) parts.push(el("p", {}, "The profile goes to " + device[USER] + "."));
    if (device[EXCLUSION] >= 0) {
      const [id, owner, reason, until] = data.exclusions[device[EXCLUSION]];
      parts.push(el("p", {}, "Exclusion ", el("code", {}, id), " covers it until " + until + ", " + owner + ": " + reason));
    }
    for (const [code, what, next, role] of device[BLOCKERS]) {
      const who = data.owners[role] ? role + " (" + data.owners[role] + ")" : role;
      parts.push(el("p", {}, el("code", { class: "stop" }, code), " " + data.texts[what] + ". Next: " + data.texts[next] + ". " + who + " acts."));
    }
    parts.push(operations(device));
    panel.replaceChildren(...parts);
    panel.hidden = false;
    panel.scrollTop = 0;
    document.querySelector(".split").classList.add("open");
    for (const line of document.querySelectorAll("#rows tr")) {
      if (Number(line.querySelector("button").dataset.place) === place) line.setAttribute("aria-selected", "true");
      else line.removeAttribute("aria-selected");
    }
    if (focus) {
      panel.focus({ preventScroll: true });
      panel.scrollIntoView({ block: "nearest" });
    }
  };
  const close = () => {
    open = -1;
    $("device").hidden = true;
    document.querySelector(".split").classList.remove("open");
    document.querySelectorAll("#rows [aria-selected]").forEach((line) => line.removeAttribute("aria-selected"));
    if (location.hash.startsWith("#device=")) history.replaceState(null, "", "#devices");
    if (opener && opener.isConnected) opener.focus();
    else $("q").focus();
  };
  const follow = () => {
    if (!location.hash.startsWith("#device=")) return;
    let name = "";
    try {
      name = decodeURIComponent(location.hash.slice("#device=".length));
    } catch {
      return;
    }
    const place = at.get(name) ?? at.get(name.toUpperCase());
    if (place !== undefined) show(place, true);
    else $("count").textContent = "This plan holds no device " + name + ".";
  };

  const counts = new Map();
  for (const device of devices) counts.set(device[STANDING], (counts.get(device[STANDING]) || 0) + 1);
  [...counts.keys()].sort((a, b) => a - b).forEach((standing) => {
    $("standing").append(el("option", { value: standing }, data.standings[standing] + " (" + counts.get(standing) + ")"));
  });
  $("q").addEventListener("input", filter);
  $("standing").addEventListener("change", filter);
  $("group").addEventListener("change", filter);
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("reset", () => setTimeout(filter, 0));
  $("more").addEventListener("click", () => {
    const before = drawn;
    more();
    $("rows").children[before]?.querySelector("button").focus();
  });
  $("rows").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    opener = button;
    const place = Number(button.dataset.place);
    history.replaceState(null, "", link(devices[place][NAME]));
    show(place, true);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-group],[data-cause]");
    if (!button) return;
    $("filters").reset();
    $("group").value = button.dataset.group !== undefined ? "g" + button.dataset.group : "c" + button.dataset.cause;
    filter();
    $("devices").scrollIntoView();
    $("group").focus({ preventScroll: true });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && open >= 0) close();
  });
  addEventListener("hashchange", follow);
  // On paper everything that a signer needs is unfolded, and folded again afterwards.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => one.setAttribute("open", ""));
  });
  addEventListener("afterprint", () => folded.forEach((one) => one.removeAttribute("open")));

  $("browser").hidden = false;
  filter();
  if (data.open !== null && !location.hash) history.replaceState(null, "", link(data.open));
  follow();
})();

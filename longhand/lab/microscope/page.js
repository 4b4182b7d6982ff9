// The microscope's page, last part: controls, keys, and the start.
// ---- what the user does
function select(at) {
  at = Math.max(0, Math.min(data.n - 1, at));
  for (const element of text.querySelectorAll('.sel')) element.classList.remove('sel');
  state.at = at;
  const line = lineOf(at), y = line * lineHeight;
  if (y < text.scrollTop + lineHeight) text.scrollTop = Math.max(0, y - lineHeight);
  if (y > text.scrollTop + text.clientHeight - 3 * lineHeight) text.scrollTop = y - text.clientHeight + 3 * lineHeight;
  render();
  const element = shown.get(line) && shown.get(line).children[at - lineStart[line]];
  if (element) element.classList.add('sel');
  const decision = decisionAt(at);
  if (decision && decision !== state.decision) {
    state.decision = decision;
    if (state.mode === 'mattered') recolour();
    pressDecisions();
  }
  inspect();
  drawChart();
}
function pressDecisions() {
  for (const button of $('decisions').children) {
    button.setAttribute('aria-pressed', state.decision && +button.dataset.at === state.decision.position);
  }
}
function showDecision(e) {
  state.decision = e;
  setMode('mattered');
  pressDecisions();
  select(e.position);
}
function setMode(mode) {
  state.mode = mode;
  for (const button of $('modes').children) button.setAttribute('aria-pressed', button.dataset.mode === mode);
  $('measure-group').hidden = mode !== 'mattered';
  $('unit-group').hidden = mode !== 'unit';
  update();
}
function setUnit(unit, q) {
  state.unit = (unit + data.units.length) % data.units.length;
  if (q) state.q = q;
  $('layer').value = data.units[state.unit].part;
  fillUnits();
  $('unit').value = state.unit;
  if (state.mode !== 'unit')
    setMode('unit');
  else
    update();
}
function update() {
  for (const button of $('quantities').children) button.setAttribute('aria-pressed', button.dataset.q === state.q);
  recolour();
  inspect();
  drawChart();
}
function setQuantity(q) {
  state.q = q;
  setMode('unit');
}
function fillUnits() {
  const part = data.units[state.unit].part;
  $('unit').replaceChildren();
  data.units.forEach((unit, k) => {
    if (unit.part !== part) return;
    const option = make('option', '', unit.unit);
    option.value = k;
    $('unit').append(option);
  });
}
function addButton(into, label, key, value, act) {
  const button = make('button', '', label);
  button.dataset[key] = value;
  button.addEventListener('click', act);
  into.append(button);
  return button;
}

function makeControls() {
  addButton($('modes'), 'Unit', 'mode', 'unit', () => setMode('unit'));
  if (nats) addButton($('modes'), 'Surprise', 'mode', 'surprise', () => setMode('surprise'));
  if (data.explanations.length) addButton($('modes'), 'What mattered', 'mode', 'mattered', () => setMode('mattered'));
  const titles = {c: 'cell', h: 'output', i: 'input gate', f: 'forget gate', g: 'cell input', o: 'output gate'};
  for (const q of data.quantities) {
    addButton($('quantities'), q, 'q', q, () => setQuantity(q)).title = titles[q];
  }
  for (const part of new Set(data.units.map((unit) => unit.part))) {
    const option = make('option', '', partName(part).replace('layer ', ''));
    option.value = part;
    $('layer').append(option);
  }
  for (const [name, label] of measures) {
    const option = make('option', '', label);
    option.value = name;
    $('measure').append(option);
  }
  $('layer').addEventListener('change', (event) => {
    setUnit(data.units.findIndex((unit) => unit.part === +event.target.value));
  });
  $('unit').addEventListener('change', (event) => setUnit(+event.target.value));
  $('measure').addEventListener('change', (event) => {
    state.measure = event.target.value;
    update();
  });
  $('unit-before').addEventListener('click', () => setUnit(state.unit - 1));
  $('unit-after').addEventListener('click', () => setUnit(state.unit + 1));
}

function makeTable() {
  const table = $('properties'), head = make('thead'), body = make('tbody'), row = make('tr');
  row.append(
      make('th', '', 'property'), make('th', '', 'units, with their correlation r'),
      make('th', 'number', '|r| by chance'));
  head.append(row);
  const absent = [];
  for (const property of data.properties) {
    if (!property.best.length) {
      absent.push(property.name);
      continue;
    }
    const line = make('tr'), cell = make('td'), buttons = make('span', 'buttons');
    for (const found of property.best) {
      const kept = data.units.findIndex((unit) => unit.part === found.part && unit.unit === found.unit);
      const label = partName(found.part) + ' ' + found.q + ' ' + found.unit + '  r ' + number(found.r);
      addButton(buttons, label, 'found', kept, () => {
        setUnit(kept, found.q);
        text.scrollIntoView({block: 'center'});
      }).disabled = kept < 0;
    }
    cell.append(buttons);
    line.append(make('td', '', property.name), cell, make('td', 'number', property.chance.toFixed(3)));
    body.append(line);
  }
  table.append(head, body);
  $('found-note').textContent = 'r is Pearson\u2019s correlation over all ' + data.n.toLocaleString('en') + ' ' +
      data.noun + 's, the largest of ' + data.unitsTotal + ' units and their ' + data.quantities.length +
      ' quantities. By chance: the largest |r| of the same search with the property ' +
      'shifted by half of the text.' + (absent.length ? ' The same in the whole text: ' + absent.join(', ') + '.' : '');
}
function makeDecisions() {
  $('explained').hidden = !data.explanations.length;
  for (const e of data.explanations) {
    const button = addButton($('decisions'), '', 'at', e.position, () => {
      showDecision(e);
      text.scrollIntoView({block: 'center'});
    });
    const start = Math.max(starts[sequenceOf(e.position)], e.position - (data.spaced ? 2 : 12));
    const before = [];
    for (let at = start; at < e.position; ++at) before.push(nameOf(at));
    button.append(
        make('span', '', before.join(data.spaced ? ' ' : '') + (data.spaced && before.length ? ' ' : '')),
        make('b', '', alone(nameOf(e.position))));
  }
  $('explained-note').textContent = 'For these ' + data.explanations.length +
      ' the effect of each symbol was computed, exactly: the gradient of ' + data.score +
      ' with respect to what the layers read there, and the change of ' + data.score +
      ' where that symbol is replaced by ' + data.replacement +
      ' and the model is run again. ' +
      (data.forecasts.length ? 'A negative change: the forecast became lower. ' : 'A negative change: the symbol had helped. ') +
      'They are underlined in the text.';
}
function makeWords() {
  document.title = 'Longhand microscope: ' + data.model;
  $('title').textContent = data.model;
  $('facts').textContent = data.task + ' \u00b7 ' + data.n.toLocaleString('en') + ' ' + data.noun + 's of ' +
      data.text + ' \u00b7 ' +
      (data.keptAll ? 'all ' + data.unitsTotal + ' units' : data.units.length + ' of ' + data.unitsTotal + ' units');
  const about = $('about');
  about.append(make(
      'p', '',
      'A unit\u2019s value is the one just after the symbol was read. Each value is one of 256 levels between the smallest ' +
          'and the largest of its quantity on this text; probabilities have 16 bits. Layers, units and positions are counted from 0. ' +
          (data.keptAll ? '' : 'The page has the units that follow a property, and those whose outputs vary most.')));
  for (const note of data.notes) about.append(make('p', '', 'Note: ' + note + '.'));
  about.append(make('pre', '', data.command));
  const help = $('help');
  for (const [keys, what] of [
           ['\u2190 \u2192 \u2191 \u2193', 'move'], ['[ ]', 'change the unit'],
           [Array.from(data.quantities).join(' '), 'quantity'], ['u s m', 'colour by unit, surprise, what mattered'],
           ['n p', 'next, previous explained decision']]) {
    help.append(make('kbd', '', keys), ' ' + what + ' \u2003 ');
  }
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || /SELECT|INPUT/.test(event.target.tagName)) return;
  const line = lineOf(state.at), column = state.at - lineStart[line],
        page = Math.max(1, Math.floor(text.clientHeight / lineHeight) - 2);
  const toLine = (to) => {
    to = Math.max(0, Math.min(lineStart.length - 1, to));
    select(Math.min(lineStart[to] + column, lineEnd(to) - 1));
  };
  const step = (by) => {
    const k = data.explanations.indexOf(state.decision), n = data.explanations.length;
    if (n) showDecision(data.explanations[(k + by + n) % n]);
  };
  const acts = {
    ArrowLeft: () => select(state.at - 1),
    ArrowRight: () => select(state.at + 1),
    ArrowUp: () => toLine(line - 1),
    ArrowDown: () => toLine(line + 1),
    PageUp: () => toLine(line - page),
    PageDown: () => toLine(line + page),
    Home: () => select(0),
    End: () => select(data.n - 1),
    '[': () => setUnit(state.unit - 1),
    ']': () => setUnit(state.unit + 1),
    u: () => setMode('unit'),
    s: () => nats && setMode('surprise'),
    m: () => data.explanations.length && setMode('mattered'),
    n: () => step(1),
    p: () => step(-1)
  };
  for (const q of data.quantities) acts[q] = () => setQuantity(q);
  if (!acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
}
function showTip(event) {
  const element = event.pointerType === 'mouse' && event.target.closest ? event.target.closest('.s') : null,
        tip = $('tip');
  tip.hidden = !element || !!data.forecasts.length;
  if (tip.hidden) return;
  const at = +element.dataset.at, v = values(state.unit, state.q), m = outputOf(at);
  tip.replaceChildren(make(
      'div', 'soft',
      data.noun + ' ' + at + (v ? ' \u00b7 ' + state.q + ' ' + number(valueAt(v, at)) : '') +
          (nats && Number.isFinite(nats[m]) ? ' \u00b7 ' + nats[m].toFixed(2) + ' nats' : '')));
  if (likely && likely[m * kTop] !== none) tip.append(outputRows(m));
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.min(event.clientX + 14, window.innerWidth - box.width - 8) + 'px';
  tip.style.top =
      (event.clientY + 20 + box.height > window.innerHeight ? event.clientY - box.height - 12 : event.clientY + 20) +
      'px';
}
function listen() {
  document.addEventListener('keydown', onKey);
  text.addEventListener('scroll', () => {
    $('tip').hidden = true;
    render();
  }, {passive: true});
  text.addEventListener('click', (event) => {
    const element = event.target.closest('.s');
    if (element) select(+element.dataset.at);
  });
  text.addEventListener('pointermove', showTip);
  text.addEventListener('pointerleave', () => {
    $('tip').hidden = true;
  });
  chart.addEventListener('click', (event) => {
    select(chartFrom + Math.floor((event.clientX - chart.getBoundingClientRect().left - chartLeft) / chartCell));
  });
  let width = text.clientWidth;
  new ResizeObserver(() => {
    if (text.clientWidth === width) {
      render();
      return;
    }
    width = text.clientWidth;
    layOut();
    select(state.at);
  }).observe(text);
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    readTheme();
    update();
  });
}

// ---- start: with the first property that a unit follows well, or else the one that a unit follows best
readTheme();
makeWords();
makeControls();
makeTable();
makeDecisions();
listen();
let best = null;
for (const property of data.properties) {
  const found = property.best[0];
  if (found && (!best || Math.abs(found.r) > Math.abs(best.r)) && !(best && Math.abs(best.r) > 0.6)) best = found;
}
colour = {
  of: () => ''
};
const kept = best ? data.units.findIndex((unit) => unit.part === best.part && unit.unit === best.unit) : -1;
layOut();
setMode('unit');
setUnit(Math.max(kept, 0), kept >= 0 ? best.q : data.quantities[0]);
select(Math.min(data.n - 1, data.explanations.length && data.ofSequences ? data.explanations[0].begin : 40));
pressDecisions();

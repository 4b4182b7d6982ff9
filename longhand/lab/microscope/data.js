// The microscope's page, first part: what it shows, the values of units, and their colours. The parts are one script.
// All that is shown comes from the blocks of JSON and base64 above this script, and is set as text.
'use strict';
const $ = (id) => document.getElementById(id);
const data = JSON.parse($('data').textContent);
const arrays = {
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  f32: Float32Array,
  f64: Float64Array
};

// ---- the arrays, each decoded when it is first needed
const decoded = new Map();
function block(id) {
  if (decoded.has(id)) return decoded.get(id);
  const element = $(id);
  let values = null;
  if (element) {
    const text = atob(element.textContent);
    const bytes = new Uint8Array(text.length);
    for (let k = 0; k < text.length; ++k) bytes[k] = text.charCodeAt(k);
    values = new arrays[element.dataset.type](bytes.buffer);
  }
  decoded.set(id, values);
  return values;
}
const symbols = block('symbols'), starts = block('starts'), nats = block('nats'), likely = block('top');
const right = block('right'), probability = block('probability');
const kTop = 5;
const none = likely instanceof Uint32Array ? 0xFFFFFFFF : 0xFFFF;
const explanationAt = new Map(data.explanations.map((e) => [e.position, e]));
const signed = new Set(['c', 'h', 'g']);

const state = {
  mode: 'unit',
  unit: 0,
  q: data.quantities[0],
  at: 0,
  decision: data.explanations[0] || null,
  measure: 'replaced'
};

// ---- small helpers
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
const nameOf = (at) => data.names[symbols[at]];
// A name that stands by itself: a blank has a sign there.
const alone = (name) => (name === ' ' ? '\u2423' : name);
function number(x) {
  const size = Math.abs(x);
  return x.toFixed(size >= 100 ? 1 : size >= 1 ? 2 : 3).replace('-', '\u2212');
}
function sequenceOf(at) {
  let low = 0, high = starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= at)
      low = middle;
    else
      high = middle;
  }
  return low;
}
// The number of the output that belongs to a symbol: its own, or its sequence's.
const outputOf = (at) => (data.ofSequences ? sequenceOf(at) : at);
function partName(part) {
  const layer = 'layer ' + Math.floor(part / data.directions);
  return data.directions === 1 ? layer : layer + (part % 2 ? ' backward' : ' forward');
}
const unitName = (unit) => partName(unit.part) + ' unit ' + unit.unit;

// ---- values and their colours
function values(unit, q) {
  const range = data.units[unit].range[q];
  if (!range) return null;
  return {levels: block('u' + unit + q), low: range[0], high: range[1]};
}
const valueAt = (v, at) => v.low + v.levels[at] * (v.high - v.low) / 255;
let theme = {};
function readTheme() {
  const style = getComputedStyle(document.documentElement);
  theme = {};
  for (const name
           of ['ink', 'soft', 'line', 'paper', 'panel', 'negative', 'positive', 'one', 'surprise', 'mattered',
               'strength', 'accent', 'c', 'h', 'i', 'f', 'g', 'o']) {
    theme[name] = style.getPropertyValue('--' + name).trim();
  }
}
const tint = (hue, part) => 'rgba(' + theme[hue] + ',' + (Math.min(1, part) * theme.strength).toFixed(3) + ')';
const diverging = (part) => (part < 0 ? tint('negative', -part) : tint('positive', part));

// What colours the text now: a function of the position, and the ends of its scale.
function colouring() {
  if (state.mode === 'surprise') {
    const most = 8;
    return {
      of: (at) => {
        const x = nats[outputOf(at)];
        return Number.isFinite(x) ? tint('surprise', x / most) : '';
      },
      low: '0',
      high: most + ' nats',
      bar: [tint('surprise', 0), tint('surprise', 1)]
    };
  }
  if (state.mode === 'mattered') {
    const e = state.decision;
    if (!e) return {of: () => '', low: '', high: '', bar: ['transparent', 'transparent']};
    const ends = data.forecasts.length ? ['', ''] :
        state.measure === 'replaced'   ? ['helped ', ' hindered'] :
                                         ['hindered ', ' helped'];
    const list = e[state.measure], most = Math.max(1e-12, ...list.map((x) => Math.abs(x || 0)));
    const of = (at) => {
      const x = list[at - e.first];
      return x === undefined || x === null ? '' :
          state.measure === 'gradient'     ? tint('mattered', x / most) :
                                             diverging(x / most);
    };
    return state.measure === 'gradient' ?
        {of, low: '0', high: number(most), bar: [tint('mattered', 0), tint('mattered', 1)]} :
        {
          of,
          low: ends[0] + number(-most),
          high: number(most) + ends[1],
          bar: [diverging(-1), diverging(0), diverging(1)]
        };
  }
  const v = values(state.unit, state.q);
  if (!v) return {of: () => '', low: '', high: '', bar: ['transparent', 'transparent']};
  const scale = signed.has(state.q) ? Math.max(Math.abs(v.low), Math.abs(v.high)) || 1 : 1;
  const hue = (x) => (signed.has(state.q) ? diverging(x / scale) : tint('one', x));
  const table = Array.from({length: 256}, (_, k) => hue(v.low + k * (v.high - v.low) / 255));
  return {
    of: (at) => table[v.levels[at]],
    low: signed.has(state.q) ? number(-scale) : '0',
    high: number(scale),
    bar: signed.has(state.q) ? [hue(-scale), hue(0), hue(scale)] : [hue(0), hue(1)]
  };
}

'use strict';

// Elements, numbers and times. Text only ever becomes text: nothing here or elsewhere parses HTML.

const svgNamespace = 'http://www.w3.org/2000/svg';

function make(tag, attributes, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

function draw(tag, attributes, ...children) {
  return dress(document.createElementNS(svgNamespace, tag), attributes, children);
}

function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

// Touches the document only when something is different, so that a selection or a reader's place is not lost every second.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function mark(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

const wholeNumbers = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const shortNumbers = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

function count(number) {
  return number < 10 && !Number.isInteger(number) ? shortNumbers.format(number) : wholeNumbers.format(number);
}

function percent(share) {
  const value = share * 100;
  return `${value > 0 && value < 10 ? shortNumbers.format(value) : wholeNumbers.format(value)} %`;
}

function duration(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1000) return `${ms < 10 ? shortNumbers.format(ms) : wholeNumbers.format(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? shortNumbers.format(seconds) : wholeNumbers.format(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 >= 1 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

// Sentences carry times of day in UTC; people want theirs.
function readable(text, at) {
  return text.replace(/(?:(\d{4}-\d\d-\d\d) )?(\d\d:\d\d:\d\d)Z/g, (_, day, time) => clock(`${day ?? at.slice(0, 10)}T${time}Z`));
}

// A long name breaks behind its separators, not within its words.
function breakable(name) {
  return name.split(/(?<=[/.:_|-])/).flatMap(part => [part, make('wbr', {})]).slice(0, -1);
}

function countedSince() {
  return page.layout?.measuredSince ? `Counted since ${clock(page.layout.measuredSince)}` : 'Counted';
}

function plural(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function clock(text) {
  return new Date(text).toLocaleTimeString('en-GB');
}

// Each state has a sign and a word besides its colour.
const signs = {
  closed: '✓', open: '✕', 'half-open': '◐', isolated: '■',
  well: '✓', tripped: '✕', probing: '◐', held: '■', strained: '!', rejecting: '✕', failing: '!', quiet: '·',
};

function badge(state, text) {
  return make('span', { class: 'badge', 'data-state': state }, make('span', { class: 'sign', 'aria-hidden': 'true' }, signs[state] ?? '·'), make('span', {}, text ?? state));
}

function rebadge(element, state, text) {
  mark(element, 'data-state', state);
  say(element.firstChild, signs[state] ?? '·');
  say(element.lastChild, text ?? state);
}

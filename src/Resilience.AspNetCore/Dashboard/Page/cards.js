// One card for each pipeline: how it fares, its charts, its warnings, and its policies, outermost first.

class Card {
  constructor(layout, intervalMs, act) {
    this.layout = layout;
    this.act = act;
    this.chart = layout.kind === 'gate' ? null : new Chart(intervalMs);
    this.badge = badge('quiet', 'quiet');
    this.rows = layout.policies.map(policy => new Row(policy, act));
    const title = make('h3', {}, ...breakable(layout.name));
    const list = make('ol', { class: 'policies' }, ...this.rows.map(row => row.element));
    this.element = make('article', { class: 'card', id: `card-${++cardsMade}`, 'data-pipeline': layout.id, 'aria-label': layout.name, tabindex: '-1' },
      make('header', {}, make('div', { class: 'names' }, title, make('p', { class: 'detail' }, layout.detail)), this.badge),
      this.chart?.element,
      ...layout.warnings.map(warning),
      layout.policies.length === 0 ? make('p', { class: 'empty' }, 'No policies: calls pass straight through.') : list);
  }

  update(now, tick, measured) {
    if (now.point !== undefined || this.chart?.lastTick >= 0) this.chart?.add(tick, now.point);
    if (now.times) this.chart?.table.show(now.times, measured);
    now.policies.forEach((policy, i) => this.rows[i]?.update(policy));
    const state = this.state();
    rebadge(this.badge, state, conditions[state]);
    mark(this.element, 'data-state', state);
  }

  // What is worst about the pipeline.
  state() {
    const states = this.rows.map(row => row.state);
    return ['tripped', 'held', 'probing', 'strained'].find(state => states.includes(state)) ?? this.traffic();
  }

  // What its calls say where no policy is in trouble: a card that is well has hardly a call that fails or is rejected.
  traffic() {
    const sums = this.chart ? recentSums(this.chart.points, 10000 / this.chart.intervalMs) : null;
    if (!sums || sums.calls === 0) return this.chart ? 'quiet' : 'well';
    if (sums.rejections / sums.calls >= 0.1) return 'rejecting';
    return sums.failures / sums.calls >= 0.1 ? 'failing' : 'well';
  }
}

let cardsMade = 0;

const conditions = { tripped: 'open', held: 'isolated', probing: 'half-open', strained: 'strained', rejecting: 'calls rejected', failing: 'calls fail', well: 'well', quiet: 'no calls' };

// The worse, the earlier.
const severity = ['tripped', 'held', 'rejecting', 'failing', 'probing', 'strained', 'well', 'quiet'];

function warning(said) {
  return make('p', { class: 'warning' }, make('strong', {}, said.code || 'Problem'), ' ', said.message);
}

// A policy: a line that lives, and its options behind a summary that the keyboard opens.
class Row {
  constructor(layout, act) {
    this.act = act;
    this.state = 'well';
    this.circuits = new Map();
    this.live = make('div', { class: 'live' });
    this.counted = make('dl', { class: 'pairs counted' });
    this.readings = new Readings();
    this.countedTitle = make('p', { class: 'subtitle', hidden: true }, countedSince());
    const options = make('dl', { class: 'pairs' }, ...layout.options.flatMap(option => pair(option.name, option.value)));
    const about = layout.name === layout.role.replace(' ', '-') ? null : make('span', { class: 'role' }, layout.role);
    this.element = make('li', { class: 'policy', 'data-depth': layout.depth, 'data-policy': layout.id },
      make('details', {},
        make('summary', {}, make('span', { class: 'policy-name' }, layout.name), about),
        make('div', { class: 'inside' }, layout.options.length ? options : make('p', { class: 'empty' }, 'No options.'), this.readings.element, this.countedTitle, this.counted)),
      this.live);
  }

  update(now) {
    this.state = 'well';
    if (now.circuits) this.showCircuits(now.circuits);
    if (now.chaos) this.showChaos(now.chaos, now.status);
    else if (now.status) this.showStatus(now.status);
    if (now.store) this.showAnswers(now);
    if (now.gate) this.showRecords(now);
    this.showCounts(now.counts ?? []);
  }

  // The element of this name in the living part, made when it is first needed.
  part(name, create) {
    this.parts ??= {};
    if (!this.parts[name]) this.live.append((this.parts[name] = create()).element);
    return this.parts[name];
  }

  showFact(name, text) {
    say(this.part(name, () => ({ element: make('p', { class: 'fact-line' }) })).element, text);
  }

  showCircuits(now) {
    if (now.isPartitioned) {
      this.showFact('keys', `${plural(now.total, 'key', 'keys')}${now.notClosed ? `, ${now.notClosed} not closed` : ', all closed'}`
        + (now.shown.length < now.total ? `; ${now.shown.length} shown` : ''));
    }

    const shown = new Set(now.shown.map(circuit => circuit.id));
    for (const [id, circuit] of this.circuits) {
      if (!shown.has(id)) {
        circuit.element.remove();
        this.circuits.delete(id);
      }
    }

    for (const circuit of now.shown) {
      if (!this.circuits.has(circuit.id)) {
        this.circuits.set(circuit.id, new Circuit(circuit, this.act));
        this.live.append(this.circuits.get(circuit.id).element);
      }

      this.circuits.get(circuit.id).update(circuit);
    }

    const states = now.shown.map(circuit => circuit.state);
    if (states.includes('open')) this.state = 'tripped';
    else if (states.includes('isolated')) this.state = 'held';
    else if (states.includes('half-open')) this.state = 'probing';
  }

  // What a policy says of itself, whose ever it is: a line, a bar where there is a share, its numbers behind the summary, and its keys.
  showStatus(now) {
    if (now.condition !== 'ok') this.state = now.condition === 'tripped' ? 'tripped' : 'strained';
    const text = now.condition === 'tripped' ? `tripped: ${now.text}` : now.text;
    if (now.share === undefined) this.showFact('text', text);
    else this.part('meter', () => new Meter()).show(now.share, null, now.condition === 'ok' ? 'ok' : 'bad', text);
    this.readings.show(now.readings);
    const keys = now.parts.map(part => `${part.key || '(empty key)'}: ${part.text}`);
    if (keys.join('\n') === (this.keys ?? '')) return;
    this.keys = keys.join('\n');
    this.part('keys', () => ({ element: make('ul', { class: 'keys' }) })).element.replaceChildren(...keys.map(key => make('li', {}, key)));
  }

  showChaos(now, status) {
    this.chaos = now;
    if (now.isOn) this.state = 'strained';
    const part = this.part('chaos', () => {
      const lamp = badge('quiet'), off = make('button', { type: 'button', 'data-action': 'turn-off' }, 'Turn off', make('span', { class: 'unseen' }, ' chaos'));
      off.addEventListener('click', () => this.act.ask('turn-off', this.chaos));
      const buttons = make('div', { class: 'buttons' }, off);
      return { lamp, buttons, element: make('div', { class: 'circuit-line' }, lamp, buttons) };
    });
    rebadge(part.lamp, now.isOn ? 'strained' : 'quiet', status.text);
    part.buttons.hidden = !now.isOn || !this.act.isAllowed();
  }

  showAnswers(now) {
    const list = this.part('answers', () => new Answers());
    list.show(now);
  }

  showRecords(now) {
    const form = this.part('records', () => new RecordForm(now.gate, this.act));
    form.element.hidden = !this.act.isAllowed();
  }

  showCounts(counts) {
    const text = counts.map(c => `${c.what}|${c.label}`).join();
    if (text !== this.countedText) {
      this.countedText = text;
      this.counted.replaceChildren(...counts.flatMap(c => pair(c.what.replaceAll(/[._]/g, ' ') + (c.label ? ` (${c.label})` : ''), '')));
      this.countedTitle.hidden = counts.length === 0;
    }

    counts.forEach((c, i) => say(this.counted.children[2 * i + 1], wholeNumbers.format(c.count)));
  }
}

// The numbers behind the line of a policy, by their names.
class Readings {
  constructor() {
    this.element = make('dl', { class: 'pairs readings' });
  }

  show(readings) {
    const names = readings.map(r => r.name).join();
    if (names !== this.names) {
      this.names = names;
      this.element.replaceChildren(...readings.flatMap(r => pair(r.name, '')));
    }

    readings.forEach((r, i) => say(this.element.children[2 * i + 1], this.text(r)));
  }

  text(reading) {
    if (reading.value === undefined) return '–';
    return `${shortNumbers.format(reading.value)}${reading.max === undefined ? '' : ` of ${shortNumbers.format(reading.max)}`}${reading.unit ? ` ${reading.unit}` : ''}`;
  }
}

function pair(name, value) {
  return [make('dt', {}, name), make('dd', {}, value)];
}

// A bar with a mark where something happens. The sentence beside it says the same.
class Meter {
  constructor() {
    this.bar = draw('rect', { class: 'fill', height: 6, width: 0 });
    this.limit = draw('rect', { class: 'limit', height: 6, width: 1.2, x: -9 });
    this.text = make('p', { class: 'fact-line' });
    this.element = make('div', { class: 'meter' },
      draw('svg', { viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, draw('rect', { class: 'rail', width: 100, height: 6 }), this.bar, this.limit),
      this.text);
  }

  show(share, limit, tone, text) {
    mark(this.bar, 'width', Math.round(Math.min(Math.max(share, 0), 1) * 1000) / 10);
    mark(this.bar, 'data-tone', tone);
    mark(this.limit, 'x', limit === null ? -9 : Math.min(limit * 100, 98.8));
    say(this.text, text);
  }
}

// What a gate answered; the usual answers are there before the first of them.
class Answers {
  constructor() {
    this.element = make('ul', { class: 'answers', 'aria-label': countedSince() });
    this.values = new Map();
    for (const answer of ['claimed', 'replayed', 'in_flight', 'key_reused', 'outcome_unknown', 'stale']) this.add(answer);
  }

  add(answer) {
    const value = make('strong', {}, page.layout?.measuredSince ? '0' : '–');
    this.values.set(answer, value);
    this.element.append(make('li', {}, value, ` ${answer.replaceAll('_', ' ')}`));
  }

  show(now) {
    for (const c of now.counts ?? []) {
      if (c.what !== 'idempotency.requests' && !(c.what === 'idempotency.completions' && c.label === 'stale')) continue;
      if (!this.values.has(c.label)) this.add(c.label);
      say(this.values.get(c.label), wholeNumbers.format(c.count));
    }
  }
}

// A record whose outcome is unknown is looked up by its id; who knows what happened says it.
class RecordForm {
  constructor(gate, act) {
    this.gate = gate;
    this.act = act;
    this.input = make('input', { type: 'text', maxlength: 64, autocomplete: 'off', spellcheck: 'false' });
    this.said = make('p', { class: 'fact-line', role: 'status' });
    const decisions = [['record-not-done', 'Not done'], ['record-done', 'Done'], ['record-unknown', 'Still unknown']];
    this.buttons = make('div', { class: 'buttons', hidden: true }, ...decisions.map(([action, text]) => this.button(action, text)));
    this.element = make('form', { class: 'record' },
      make('label', {}, 'Record ', this.input), make('button', { type: 'submit', 'data-action': 'look-at-record' }, 'Look'), this.said, this.buttons);
    this.element.addEventListener('submit', event => {
      event.preventDefault();
      this.look();
    });
    this.input.addEventListener('input', () => this.show('', undefined));
  }

  button(action, text) {
    const button = make('button', { type: 'button', 'data-action': action }, text);
    button.addEventListener('click', () => this.act.ask(action, { id: this.gate, record: this.record, fence: this.fence, then: said => this.show(said, undefined) }));
    return button;
  }

  async look() {
    const record = this.input.value.trim();
    const answer = await this.act.post({ action: 'look-at-record', target: this.gate, record });
    this.record = record;
    this.show(answer.said, answer.fence);
  }

  show(text, fence) {
    this.fence = fence;
    say(this.said, text);
    this.buttons.hidden = !fence;
  }
}

// A circuit: its state, its window against the rule that opens it, what opened it, and what a person may do.
class Circuit {
  constructor(circuit, act) {
    this.act = act;
    this.id = circuit.id;
    this.badge = badge(circuit.state);
    this.meter = new Meter();
    this.cause = make('p', { class: 'cause' });
    this.epoch = make('p', { class: 'epoch' });
    this.isolate = make('button', { type: 'button', 'data-action': 'isolate' }, 'Isolate', make('span', { class: 'unseen' }));
    this.close = make('button', { type: 'button', 'data-action': 'close' }, 'Close', make('span', { class: 'unseen' }));
    this.buttons = make('div', { class: 'buttons', hidden: true }, this.isolate, this.close);
    for (const button of [this.isolate, this.close]) {
      say(button.lastChild, ` the circuit${circuit.key ? ` of ${circuit.key}` : ''}`);
      button.addEventListener('click', () => {
        if (button.getAttribute('aria-disabled') !== 'true') act.ask(button.dataset.action, this.now);
      });
    }

    const key = circuit.key !== undefined ? make('span', { class: 'circuit-key' }, circuit.key || '(empty key)') : null;
    this.element = make('div', { class: 'circuit', 'data-circuit': circuit.id, 'data-keyed': key !== null },
      make('div', { class: 'circuit-line' }, this.badge, key, this.epoch, this.buttons), this.meter.element, this.cause);
  }

  update(now) {
    this.now = now;
    mark(this.element, 'data-state', now.state);
    rebadge(this.badge, now.state);
    say(this.epoch, `${duration(now.inStateMs)} · epoch ${wholeNumbers.format(now.epoch)}`);
    this.showWindow(now);
    say(this.cause, this.why(now));
    this.buttons.hidden = !this.act.isAllowed();
    mark(this.isolate, 'aria-disabled', now.state === 'isolated');
    mark(this.close, 'aria-disabled', now.state === 'closed');
  }

  showWindow(now) {
    if (now.state !== 'closed') {
      const text = now.state === 'half-open'
        ? `${now.probesOut > 0 ? `${plural(now.probesOut, 'probe', 'probes')} under way` : 'no probe under way, the next call is one'}, ${count(now.probesSucceeded)} succeeded`
        : now.state === 'open' ? (now.breakLeftMs > 0 ? `next probe in ${duration(now.breakLeftMs)}` : 'the next call is a probe') : 'until it is closed by hand';
      this.meter.show(now.state === 'half-open' ? 0.5 : 1, null, now.state === 'half-open' ? 'warn' : 'bad', text);
      return;
    }

    const ratio = now.calls > 0 ? now.failures / now.calls : 0;
    const parts = [`${wholeNumbers.format(now.failures)} of ${plural(now.calls, 'call', 'calls')} failed`];
    if (now.calls > 0 && now.opensAtRatio) parts[0] += ` (${percent(ratio)})`;
    if (now.opensAtRatio) parts.push(`opens at ${percent(now.opensAtRatio)} of ${count(now.minimumCalls)} or more`);
    if (now.opensAtConsecutive) parts.push(`${count(now.consecutiveFailures)} of ${count(now.opensAtConsecutive)} in a row`);
    if (now.slowCalls + now.overdueCalls > 0) parts.push(`${count(now.slowCalls)} slow, ${count(now.overdueCalls)} overdue`);
    const share = now.opensAtRatio ? ratio : now.opensAtConsecutive ? now.consecutiveFailures / now.opensAtConsecutive : 0;
    this.meter.show(share, now.opensAtRatio ?? null, share > 0 ? 'warn' : 'ok', parts.join(' · '));
  }

  why(now) {
    if (now.state === 'isolated') return 'Held open by hand.';
    if (!now.cause) return '';
    return now.state === 'closed' ? `Had opened because ${now.cause}.` : `Opened because ${now.cause}.`;
  }
}

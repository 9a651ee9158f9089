// The stream, and what is common to all cards.

const byId = id => document.getElementById(id);
const base = location.pathname.replace(/\/+$/, '');
const token = document.querySelector('meta[name=resilience-token]').content;
const maxEntries = 200;

const page = { layout: null, search: '', order: 'name', cards: new Map(), mayAct: false, tick: -1, lastHeard: 0, states: new Map(), lastNumber: 0 };

// ---- What a person may do ----

const act = {
  isAllowed: () => page.mayAct,
  ask(action, target) {
    const which = target.key ? `the circuit of ${target.key}` : 'this circuit';
    const [title, text, yes] = {
      isolate: ['Isolate the circuit?', `Every call through ${which} is rejected from now on, until the circuit is closed by hand.`, 'Isolate'],
      close: ['Close the circuit?', `Calls go through ${which} again at once. Its counts begin anew.`, 'Close'],
      'turn-off': ['Turn chaos off?', 'Calls that begin from now on are left alone. It cannot be turned on here.', 'Turn off'],
      'record-not-done': ['It was not done?', 'The next request with its key executes it. Say so only if what had begun it runs no more.', 'Not done'],
      'record-done': ['It was done?', 'Requests with its key are told that it was done, without a result. Nothing is executed.', 'Done'],
      'record-unknown': ['It stays unknown?', 'It is not begun again, also where attempts are left.', 'Still unknown'],
    }[action];
    say(byId('ask-title'), title);
    say(byId('ask-text'), text);
    say(byId('ask-yes'), yes);
    say(byId('ask-problem'), '');
    act.asked = { action, target: target.id, record: target.record, fence: target.fence };
    act.then = target.then;
    byId('ask').showModal();
  },

  // What the process says; it is there whether or not it was done.
  async post(asked) {
    try {
      const answer = await fetch(`${base}/actions`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-Resilience-Dashboard': token },
        body: JSON.stringify(asked),
      });
      return { ok: answer.ok, ...await said(answer) };
    } catch {
      return { ok: false, said: 'The process does not answer.' };
    }
  },
};

byId('ask-no').addEventListener('click', () => byId('ask').close());
byId('ask-yes').addEventListener('click', async () => {
  const answer = await act.post(act.asked);
  if (!answer.ok) {
    say(byId('ask-problem'), answer.said);
    return;
  }

  byId('ask').close();
  act.then?.(answer.said);
});

async function said(answer) {
  try {
    return await answer.json();
  } catch {
    return { said: `It was rejected (${answer.status}).` };
  }
}

// ---- The cards ----

function arrange(layout) {
  const isFirst = page.layout === null;
  page.layout = layout;
  say(byId('environment'), layout.environment);
  byId('environment').hidden = !layout.environment;
  const kept = new Map();
  for (const pipeline of layout.pipelines) {
    const known = page.cards.get(pipeline.id);
    kept.set(pipeline.id, known && JSON.stringify(known.layout) === JSON.stringify(pipeline) ? known : renewed(known, pipeline, layout.intervalMs));
  }

  page.cards = kept;
  place();
  byId('empty').hidden = kept.size > 0;
  byId('tools').hidden = kept.size < 2;
  byId('hidden-count').hidden = layout.hidden === 0;
  say(byId('hidden-count'), layout.hidden > 0 ? `${plural(layout.hidden, 'more is', 'more are')} not shown.` : '');
  if (isFirst) document.documentElement.dataset.ready = 'true';
}

// Puts the cards that are searched for in the wanted order. Moves nothing that is in its place, so that the focus is not lost.
function place() {
  const cards = [...page.cards.values()].filter(card => card.layout.name.toLowerCase().includes(page.search));
  if (page.order === 'trouble') cards.sort((one, other) => severity.indexOf(one.element.dataset.state) - severity.indexOf(other.element.dataset.state));
  const wanted = cards.map(card => card.element), present = [...byId('cards').children];
  if (wanted.length !== present.length || wanted.some((element, i) => element !== present[i])) byId('cards').replaceChildren(...wanted);
  byId('no-match').hidden = wanted.length > 0 || page.cards.size === 0;
}

byId('search').addEventListener('input', event => {
  page.search = event.target.value.trim().toLowerCase();
  place();
});

byId('order').addEventListener('change', event => {
  page.order = event.target.value;
  place();
});

// Options have changed: a new card, with the past and the open lines of the old one.
function renewed(old, pipeline, intervalMs) {
  const card = new Card(pipeline, intervalMs, act);
  if (!old) return card;
  if (card.chart && old.chart) card.chart.restore(old.chart);
  const open = new Set([...old.element.querySelectorAll('details[open]')].map(details => details.closest('li').dataset.policy));
  for (const details of card.element.querySelectorAll('details')) details.open = open.has(details.closest('li').dataset.policy);
  return card;
}

function show(state, isPast = false) {
  if (state.layout !== page.layout.version || state.tick < page.tick) return;
  const isTick = state.tick > page.tick;
  page.tick = state.tick;
  const measured = page.layout.measuredSince ? new Date(state.at) - new Date(page.layout.measuredSince) : 0;
  for (const now of state.pipelines) page.cards.get(now.id)?.update(now, isTick ? state.tick : -1, measured);
  showOverview(state);
  showTrouble();
  if (page.order === 'trouble' && !byId('cards').contains(document.activeElement)) place();
  say(byId('uptime'), `up ${duration(new Date(state.at) - new Date(page.layout.started))}`);
  byId('uptime').hidden = false;
  say(byId('viewers'), state.viewers === 1 ? '1 viewer' : `${state.viewers} viewers`);
  byId('viewers').hidden = false;
  tell(state.recent, isPast);
}

function showOverview(state) {
  const circuits = new Map();
  for (const now of state.pipelines) {
    for (const policy of now.policies) {
      for (const circuit of policy.circuits?.shown ?? []) circuits.set(circuit.id, circuit.state);
    }
  }

  const states = [...circuits.values()], many = state => states.filter(s => s === state).length;
  const charts = [...page.cards.values()].map(card => card.chart).filter(chart => chart?.points.length);
  const sums = charts.map(chart => recentSums(chart.points, 10000 / page.layout.intervalMs));
  const known = Math.max(0, ...sums.map(s => s.intervals)) * page.layout.intervalMs; // 10 s, or less as long as less is known
  const total = of => sums.reduce((all, s) => all + of(s) / known * 1000, 0);
  const calls = total(s => s.calls), failures = total(s => s.failures), rejected = total(s => s.rejections), retries = total(s => s.retries);
  const isKnown = known > 0; // unknown before the first interval has ended
  const notClosed = many('open') + many('isolated') + many('half-open');
  const tiles = [
    ['Circuits', states.length === 0 ? 'none' : notClosed ? `${notClosed} of ${states.length} not closed` : `${states.length} closed`, notClosed ? 'tripped' : 'well'],
    ['Calls', isKnown ? `${count(calls)}/s` : '–', 'quiet'],
    ['Failed', calls > 0 ? percent(failures / calls) : '–', calls > 0 && failures / calls >= 0.1 ? 'tripped' : 'quiet'],
    ['Rejected', isKnown ? `${count(rejected)}/s` : '–', rejected > 0 ? 'probing' : 'quiet'],
    ['Retries', isKnown ? `${count(retries)}/s` : '–', calls > 0 && retries / calls >= 0.2 ? 'probing' : 'quiet'],
  ];
  const list = byId('overview');
  if (list.children.length === 0) list.append(...tiles.map(([name]) =>
    make('div', { class: 'tile' }, make('dt', {}, name, make('span', { class: 'window' })), make('dd', {}))));
  tiles.forEach(([name, text, state], i) => {
    say(list.children[i].querySelector('.window'), isKnown && name !== 'Circuits' ? ` last ${duration(known)}` : '');
    mark(list.children[i], 'data-state', state);
    say(list.children[i].lastChild, text);
  });
}

// A way to each pipeline that is not well; drawn anew only when that has changed.
function showTrouble() {
  const troubled = [...page.cards.values()].filter(card => !['well', 'quiet'].includes(card.element.dataset.state));
  const text = troubled.map(card => `${card.element.id} ${card.element.dataset.state}`).join();
  if (text === page.troubled) return;
  page.troubled = text;
  byId('trouble').hidden = troubled.length === 0;
  byId('trouble').replaceChildren(...troubled.map(card =>
    make('li', {}, make('a', { href: `#${card.element.id}` }, badge(card.element.dataset.state, conditions[card.element.dataset.state]), make('span', {}, card.layout.name)))));
}

// ---- What happened ----

function tell(entries, isPast) {
  const fresh = entries.filter(entry => entry.number > page.lastNumber);
  if (fresh.length === 0) return;
  page.lastNumber = fresh[fresh.length - 1].number;
  const list = byId('entries');
  const again = new Set(fresh.map(keyOf));
  for (const known of [...list.children]) {
    if (again.has(known.dataset.key)) known.remove(); // it goes on happening: one entry, with the new number
  }

  list.prepend(...fresh.map(entryElement).reverse());
  while (list.children.length > maxEntries) list.lastChild.remove();
  byId('nothing').hidden = true;
  const changes = fresh.filter(entry => entry.kind === 'transition');
  if (!isPast && changes.length) say(byId('announcer'), changes.slice(-3).map(entry => `${entry.pipeline || entry.policy}: ${entry.text}`).join(' '));
}

function keyOf(entry) {
  return entry.group ? [entry.pipeline, entry.policy, entry.group].join('|') : String(entry.number);
}

function entryElement(entry) {
  const what = entry.kind === 'transition' ? badge(entry.to, entry.to) : badge(entry.kind === 'rejection' ? 'tripped' : 'strained', entry.kind === 'rejection' ? 'rejected' : 'note');
  const times = entry.count > 1 ? make('span', { class: 'times' }, `× ${wholeNumbers.format(entry.count)}`) : null;
  const prefix = [`${entry.pipeline}/${entry.policy}: `, `${entry.policy}: `].find(who => entry.text.startsWith(who)) ?? '';
  const text = entry.text.slice(prefix.length);
  return make('li', { class: 'entry', 'data-kind': entry.kind, 'data-key': keyOf(entry) },
    make('p', { class: 'entry-line' }, what, times, make('time', { datetime: entry.at }, clock(entry.at))),
    make('p', { class: 'where' }, [entry.pipeline, entry.policy].filter(Boolean).join(' / ')),
    make('p', { class: 'text' }, readable(text.charAt(0).toUpperCase() + text.slice(1), entry.at)),
    traceOf(entry));
}

function traceOf(entry) {
  if (!entry.traceId) return null;
  const template = document.querySelector('meta[name=resilience-trace]').content;
  const text = `trace ${entry.traceId}`;
  return make('p', { class: 'trace' }, template
    ? make('a', { href: template.replaceAll('{traceId}', entry.traceId), target: '_blank', rel: 'noreferrer' }, text)
    : make('code', {}, text));
}

for (const choice of document.querySelectorAll('input[name=filter]')) {
  choice.addEventListener('change', () => {
    byId('entries').dataset.filter = choice.value;
  });
}

// ---- The stream ----

function begin(all) {
  page.mayAct = all.mayAct;
  page.tick = -1;
  byId('entries').replaceChildren();
  byId('nothing').hidden = all.state.recent.length > 0;
  page.lastNumber = 0;
  arrange(all.layout);
  for (const history of all.history) page.cards.get(history.pipeline)?.chart?.restore(history);
  show(all.state, true);
}

function listen() {
  const source = new EventSource(`${base}/events`);
  const hear = (name, then) => source.addEventListener(name, event => {
    page.lastHeard = Date.now();
    setLink('live', 'live');
    then(JSON.parse(event.data));
  });
  hear('all', begin);
  hear('layout', arrange);
  hear('state', state => page.layout && show(state));
  source.addEventListener('error', () => {
    setLink('lost', source.readyState === EventSource.CLOSED ? 'no stream: trying again soon' : 'connection lost: trying again');
    if (source.readyState === EventSource.CLOSED) again(source);
  });
  const watch = setInterval(() => {
    if (source.readyState === EventSource.CLOSED) clearInterval(watch);
    else if (page.lastHeard && Date.now() - page.lastHeard > 30000) again(source, watch);
  }, 5000);
}

function again(source, watch) {
  source.close();
  if (watch) clearInterval(watch);
  setLink('lost', 'connection lost: trying again');
  page.lastHeard = 0;
  setTimeout(listen, 5000);
}

function setLink(state, text) {
  mark(byId('link'), 'data-state', state);
  say(byId('link-text'), text);
}

listen();

// Small charts of the last minutes: one of what calls ended with, one of how long they took. Drawn as paths over 300 points; what they show
// is given in words beside them and in their labels. Until five minutes are full, a shorter time is shown wider.

const chartPoints = 300;
const chartHeight = 96;

class Chart {
  constructor(intervalMs) {
    this.intervalMs = intervalMs;
    this.points = [];
    this.lastTick = -1;
    this.calls = this.plot('Calls', ['ok', 'bad', 'rejected'], ['retry']);
    this.times = this.plot('Latency', [], ['p95', 'p50']);
    this.table = new TimesTable();
    this.element = make('div', { class: 'charts', hidden: true }, this.calls.figure, this.times.figure, this.table.element);
  }

  plot(title, areas, lines) {
    const paths = {};
    const svg = draw('svg', { class: 'plot', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${title}: nothing measured yet` });
    svg.append(draw('path', { class: 'base', d: `M0 ${chartHeight / 2}H${chartPoints}M0 ${chartHeight}H${chartPoints}` }));
    for (const name of [...areas, ...lines]) svg.append(paths[name] = draw('path', { class: `${areas.includes(name) ? 'area' : 'line'} ${name}` }));
    const now = make('span', { class: 'now' }, '–');
    const top = make('span', { class: 'scale', 'aria-hidden': 'true' }), begin = make('span', {});
    const axis = make('p', { class: 'axis', 'aria-hidden': 'true' }, begin, make('span', {}, 'now'));
    const figure = make('figure', {}, make('figcaption', {}, make('span', { class: 'what' }, title), now), make('div', { class: 'frame' }, svg, top), axis);
    return { figure, svg, paths, now, top, begin };
  }

  restore(history) {
    this.points = history.points.slice(-chartPoints).map(point => point ?? nothing);
    this.lastTick = history.lastTick;
    this.show();
  }

  add(tick, point) {
    if (tick <= this.lastTick) return;
    const gap = this.lastTick < 0 ? 0 : Math.min(tick - this.lastTick - 1, chartPoints);
    for (let i = 0; i < gap; i++) this.points.push(nothing);
    this.points.push(point ?? nothing);
    this.lastTick = tick;
    if (this.points.length > chartPoints) this.points.splice(0, this.points.length - chartPoints);
    this.show();
  }

  show() {
    this.element.hidden = !this.points.some(p => p.calls > 0);
    if (this.element.hidden) return;
    const wide = [60, 120, 180, 240].find(most => this.points.length <= most) ?? chartPoints;
    for (const plot of [this.calls, this.times]) mark(plot.svg, 'viewBox', `${chartPoints - wide} 0 ${wide} ${chartHeight}`);
    for (const plot of [this.calls, this.times]) say(plot.begin, `${duration(wide * this.intervalMs)} ago`);
    this.showCalls(this.points, 1000 / this.intervalMs);
    this.showTimes(this.points);
  }

  showCalls(points, perSecond) {
    const top = niceTop(Math.max(...points.map(p => Math.max(p.calls, p.retries) * perSecond)));
    const scale = chartHeight / top * perSecond;
    const { paths, now, svg } = this.calls;
    mark(paths.ok, 'd', area(points, p => 0, p => p.calls * scale));
    mark(paths.bad, 'd', area(points, p => 0, p => (p.failures + p.rejections) * scale, p => p.failures + p.rejections > 0));
    mark(paths.rejected, 'd', area(points, p => p.failures * scale, p => (p.failures + p.rejections) * scale, p => p.rejections > 0));
    mark(paths.retry, 'd', line(points, p => p.retries * scale, points.some(p => p.retries > 0)));
    const sums = recentSums(points, 10000 / this.intervalMs);
    const rate = sums.calls / sums.intervals * perSecond;
    const parts = [`${count(rate)}/s`];
    if (sums.failures > 0) parts.push(`${percent(sums.failures / sums.calls)} failed`);
    if (sums.rejections > 0) parts.push(`${percent(sums.rejections / sums.calls)} rejected`);
    if (sums.retries > 0) parts.push(`${count(sums.retries / sums.intervals * perSecond)} retries/s`);
    say(now, `last ${duration(sums.intervals * this.intervalMs)}: ${parts.join(' · ')}`);
    say(this.calls.top, `${count(top)}/s`);
    mark(svg, 'aria-label', `Calls in the last ${duration(points.length * this.intervalMs)}: ${count(rate)} a second now, `
      + `${wholeNumbers.format(sum(points, p => p.calls))} in all, ${wholeNumbers.format(sum(points, p => p.failures))} failed, `
      + `${wholeNumbers.format(sum(points, p => p.rejections))} rejected, ${wholeNumbers.format(sum(points, p => p.retries))} retries.`);
  }

  showTimes(points) {
    const known = points.filter(p => p.p95 !== undefined && p.p95 !== null);
    const { paths, now, svg } = this.times;
    if (known.length === 0) return;
    const top = niceTop(Math.max(...known.map(p => p.p95)));
    mark(paths.p95, 'd', line(points, p => p.p95 === undefined ? null : p.p95 / top * chartHeight, true));
    mark(paths.p50, 'd', line(points, p => p.p50 === undefined ? null : p.p50 / top * chartHeight, true));
    const last = known[known.length - 1];
    say(now, `last ${duration(this.intervalMs)} with calls: p50 ${duration(last.p50)} · p95 ${duration(last.p95)}`);
    say(this.times.top, duration(top));
    mark(svg, 'aria-label', `Latency: median ${duration(last.p50)}, 95 percent within ${duration(last.p95)}; `
      + `highest p95 of the last ${duration(points.length * this.intervalMs)} ${duration(Math.max(...known.map(p => p.p95)))}.`);
  }
}

// Percentiles in figures, for those whom a line tells too little.
class TimesTable {
  constructor() {
    this.cells = {};
    this.heads = {};
    const columns = [['p50', 'p50'], ['p95', 'p95'], ['p99', 'p99']], rows = [['minute', 'last minute'], ['fiveMinutes', 'last 5 minutes']];
    this.element = make('table', { class: 'times-table' },
      make('caption', { class: 'unseen' }, 'Latency of calls that were not rejected'),
      make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, 'Latency'), ...columns.map(([, name]) => make('th', { scope: 'col' }, name)))),
      make('tbody', {}, ...rows.map(([row, name]) => make('tr', {}, (this.heads[row] = make('th', { scope: 'row' }, name)),
        ...columns.map(([column]) => (this.cells[row + column] = make('td', {}, '–')))))));
  }

  // Shorter than their names say as long as less is known.
  show(times, measured) {
    say(this.heads.minute, measured < 60000 ? `last ${duration(measured)}` : 'last minute');
    say(this.heads.fiveMinutes, measured < 300000 ? `last ${duration(measured)}` : 'last 5 minutes');
    this.heads.fiveMinutes.parentElement.hidden = measured < 60000; // it would say the same
    for (const row of ['minute', 'fiveMinutes']) {
      for (const column of ['p50', 'p95', 'p99']) say(this.cells[row + column], duration(times[row]?.[column]));
    }
  }
}

const nothing = { calls: 0, failures: 0, rejections: 0, retries: 0 };

function sum(points, of) {
  return points.reduce((all, point) => all + of(point), 0);
}

// What the figures beside a chart are about: the last ten seconds, or what is known of them.
function recentSums(points, many) {
  const last = points.slice(-Math.max(1, Math.round(many)));
  return {
    intervals: last.length, calls: sum(last, p => p.calls), failures: sum(last, p => p.failures),
    rejections: sum(last, p => p.rejections), retries: sum(last, p => p.retries),
  };
}

function niceTop(value) {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find(step => step * unit >= value) * unit;
}

// Steps, because each point is what happened in one interval; the newest one at the right.
function area(points, bottom, top, has = () => true) {
  let path = '';
  const first = chartPoints - points.length;
  points.forEach((point, i) => {
    const height = top(point) - bottom(point);
    if (height <= 0 || !has(point)) return;
    path += `M${first + i} ${y(bottom(point))}V${y(top(point))}h1V${y(bottom(point))}z`;
  });
  return path;
}

function line(points, value, has) {
  if (!has) return '';
  let path = '', isDown = false;
  const first = chartPoints - points.length;
  points.forEach((point, i) => {
    const at = value(point);
    if (at === null) {
      isDown = false;
      return;
    }
    path += `${isDown ? 'L' : 'M'}${first + i + 0.5} ${y(at)}`;
    if (!isDown) path += 'h0.1';
    isDown = true;
  });
  return path;
}

function y(height) {
  return Math.round((chartHeight - Math.min(height, chartHeight)) * 100) / 100;
}

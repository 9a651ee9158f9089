// What a person with a screen reader, a keyboard, weak eyes or a telephone would stumble over. Returns a sentence for each.
() => {
  const found = [];
  const isSeen = e => e.checkVisibility({ opacityProperty: false, visibilityProperty: true }) && e.getClientRects().length > 0;
  const isForReadersOnly = e => e.closest('.unseen, .skip') !== null;
  const dialog = document.querySelector('dialog[open]');
  const all = [...(dialog ?? document.body).querySelectorAll('*')].filter(isSeen);
  const tell = (what, e) => found.push(`${what}: ${e.outerHTML.slice(0, 160)}`);

  const nameOf = e => (e.getAttribute('aria-label')
    ?? (e.getAttribute('aria-labelledby') ?? '').split(' ').map(id => document.getElementById(id)?.textContent ?? '').join(' ')) || (e.labels?.[0]?.textContent ?? '') || '';

  // Names.
  for (const e of all.filter(e => e.matches('button, a[href], summary, input, select, textarea, [tabindex="0"]'))) {
    const text = e.matches('input, select, textarea') ? '' : e.textContent;
    if (!(nameOf(e) || text).trim()) tell('no name', e);
    if (isForReadersOnly(e)) continue;
    const target = e.matches('input') && e.labels?.length ? e.labels[0] : e;
    const box = target.getBoundingClientRect();
    if (box.width < 24 || box.height < 24) tell(`small (${Math.round(box.width)} × ${Math.round(box.height)})`, e);
  }

  for (const e of all.filter(e => e.matches('svg[role=img], section, dialog, fieldset'))) {
    if (!nameOf(e).trim() && !e.querySelector(':scope > legend')) tell('no name', e);
  }

  for (const e of all.filter(e => e.matches('a[href^="#"]'))) {
    if (!document.querySelector(e.getAttribute('href'))) tell('leads nowhere', e);
  }

  // Headings in order, one of the first level; landmarks; each id once.
  let level = 0;
  for (const e of document.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
    if (e.closest('dialog')) continue;
    const own = Number(e.tagName[1]);
    if (own > level + 1 || (own === 1 && level > 0)) tell(`heading ${own} after ${level}`, e);
    level = own;
  }

  for (const landmark of ['header', 'main', 'footer']) {
    if (document.querySelectorAll(`body > ${landmark}`).length !== 1) found.push(`not one ${landmark}`);
  }

  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) found.push(`twice: #${id}`);
  if (!document.documentElement.lang) found.push('no language');
  if (!document.title) found.push('no title');

  // Nothing is wider than the window.
  const width = document.documentElement.clientWidth;
  const wide = [...document.body.querySelectorAll('*')].filter(e => isSeen(e) && !isForReadersOnly(e) && !e.closest('svg') && e.getBoundingClientRect().right > width + 0.5);
  if (document.documentElement.scrollWidth > width || wide.length > 0) tell(`overflow (${document.documentElement.scrollWidth} > ${width})`, wide[0] ?? document.body);

  // Contrast of every text against what is painted behind it.
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const read = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { r, g, b, a: a / 255 };
  };
  const over = (top, under) => ({ r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1 });
  const behind = e => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour.a > 0) layers.push(colour);
      if (colour.a === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), read(getComputedStyle(document.documentElement).colorScheme.includes('dark') && matchMedia('(prefers-color-scheme: dark)').matches ? '#000' : '#fff'));
  };
  const light = ({ r, g, b }) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((all, v, i) => all + v * [0.2126, 0.7152, 0.0722][i], 0);
  const seen = new Set();
  for (const e of all) {
    if (isForReadersOnly(e) || ![...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.textContent.trim())) continue;
    const style = getComputedStyle(e), back = behind(e), front = over(read(style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const key = `${style.color}/${JSON.stringify(back)}/${isLarge}`;
    if (ratio < (isLarge ? 3 : 4.5) && !seen.has(key)) tell(`contrast ${ratio.toFixed(2)}`, e);
    seen.add(key);
  }

  return found;
}

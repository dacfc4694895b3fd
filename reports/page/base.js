// The page's ground: elements made from text, chunks unpacked, the view kept in the address.
//
// Texts of models and datasets become text nodes, never markup: `h` knows no other way.

const OUTCOMES = ['correct', 'incorrect', 'no answer', 'truncated', 'undecided', 'not graded'];
const OUTCOME_KEYS = ['correct', 'incorrect', 'no_answer', 'truncated', 'undecided', 'ungraded'];
const OUTCOME_MARKS = ['✓', '✗', '∅', '…', '?', '·'];

// Controls and marks that turn the direction of text would show what is not there.
function visible(text) {
  return String(text).replace(
      /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
      (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`);
}

// h('p', {class: 'note', onclick: f}, 'text', node, [more])
function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) {
      node.addEventListener(name.slice(2), value);
    } else if (name === 'style') {
      for (const [property, to] of Object.entries(value)) node.style.setProperty(property, to);
    } else {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
  put(node, children);
  return node;
}

function put(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : visible(child));
  }
  return node;
}

function replace(node, ...children) {
  node.textContent = '';
  return put(node, children);
}

const $ = (id) => document.getElementById(id);

// --- chunks ---

const unpacked = new Map();

function chunk(name) {
  if (!unpacked.has(name)) unpacked.set(name, unpack(name));
  return unpacked.get(name);
}

async function unpack(name) {
  const element = $('chunk-' + name);
  const bytes = Uint8Array.from(atob(element.textContent), (c) => c.charCodeAt(0));
  element.remove();
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return JSON.parse(await new Response(stream).text());
}

// --- the report ---

let report = null;  // chunk "data"

// Of a page of `assay view`: asks the server that it came from. What goes wrong is an error with
// words for the reader.
async function ask(path, words) {
  const query = new URLSearchParams(words);
  let reply = null;
  let text = '';
  try {
    reply = await fetch(`${path}?${query}`, {cache: 'no-store', redirect: 'error'});
    text = await reply.text();
  } catch (error) {
    throw new Error('The server of this page does not answer: is `assay view` still running?');
  }
  if (reply.ok) return JSON.parse(text);
  let why = text.trim();
  try {
    why = JSON.parse(text).error;
  } catch (error) {
    // a refusal in plain words
  }
  throw new Error(why);
}

const runOf = (letter) => report.runs.find((run) => run.letter === letter);
const taskOf = (run, name) => run.tasks.find((task) => task.task === name);
const comparisonOf = (letter) => report.comparisons.find((c) => c.b.letter === letter);
const runsOf = (name) => report.tasks.find((task) => task.name === name).runs;
const colorOf = (letter) => `var(--run-${report.runs.findIndex((r) => r.letter === letter) % 10})`;

// The letter of a run in its colour, with its name where there is room.
function runMark(letter, named) {
  const run = runOf(letter);
  return h('span', {class: 'run-mark'},
      h('span', {class: 'letter', style: {'--run': colorOf(letter)}, title: run.name}, letter),
      named ? h('span', {class: 'run-name'}, run.name) : null);
}

const number = (value) => Number(value).toLocaleString('en-US');
const count = (value, noun) => `${number(value)} ${noun}${Number(value) === 1 ? '' : 's'}`;
const percent = (share) => (100 * share).toFixed(1) + ' %';

// --- the view ---

const DEFAULTS = {
  tab: 'overview', pair: '', task: '', problem: '', q: '', flip: '', outcome: '', run: '', tag: '',
  rule: '', tier: '', min: '', max: '', sort: '', pick: '', all: '', raw: '',
};
let view = {...DEFAULTS};
let draw = () => {};

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  view = {...DEFAULTS};
  for (const name of Object.keys(DEFAULTS)) {
    if (given.has(name)) view[name] = given.get(name);
  }
  if (view.tab === 'flips') view = {...view, tab: 'problems', flip: view.flip || 'any'};
}

function address(changes) {
  const wanted = {...view, ...changes};
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted)) {
    if (value !== DEFAULTS[name]) words.set(name, value);
  }
  return '#' + words.toString();
}

// A new place is a step in the browser's history; a filter that is being set is not.
function go(changes, {step = true} = {}) {
  const to = address(changes);
  if (to === (location.hash || '#')) return;
  if (step) {
    history.pushState(null, '', to);
  } else {
    history.replaceState(null, '', to);
  }
  const tab = view.tab;
  readAddress();
  draw();
  if (view.tab !== tab) {
    window.scrollTo(0, 0);
    $('main').focus({preventScroll: true});
  }
}

function linkTo(changes, attributes, ...children) {
  return h('a', {...attributes, href: address(changes), onclick: (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(changes);
  }}, children);
}

function choose(label, name, options, attributes) {
  const select = h('select', {...attributes, name, onchange: () => {
    go({[name]: select.value, ...(attributes && attributes.also)}, {step: false});
  }}, options.map(([value, text]) => h('option', {value, selected: view[name] === value}, text)));
  select.removeAttribute('also');
  return h('label', {class: 'choice'}, h('span', {}, label), select);
}

// --- reading texts: math, code, long ones ---

const LONG = 40000;

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    see(entry.target);
  }
}, {rootMargin: '200px'});

const unseen = new Map();  // node -> what is to be done when it comes into view

function whenSeen(node, act) {
  unseen.set(node, act);
  seen.observe(node);
  return node;
}

function see(node) {
  seen.unobserve(node);
  const act = unseen.get(node);
  unseen.delete(node);
  if (act) act(node);
}

// Paper shows everything; what has left the page is forgotten.
function seeAll() {
  for (const node of [...unseen.keys()]) {
    if (node.isConnected) see(node);
    else unseen.delete(node);
  }
}

function mathNode(source, display, whole) {
  const node = h('span', {class: display ? 'math display' : 'math'}, whole);
  if (source.length > 3000) return node;
  return whenSeen(node, () => {
    const rendered = document.createElement('span');
    try {
      katex.render(source, rendered, {
        displayMode: display, throwOnError: true, trust: false, strict: 'ignore', maxSize: 20,
        maxExpand: 200, output: 'htmlAndMathml',
      });
    } catch (error) {
      return;  // what KaTeX cannot read is shown as it was written
    }
    node.title = visible(whole);
    node.replaceChildren(rendered);
  });
}

// The end of "{...}" that begins at `open`, or -1.
function closingBrace(text, open) {
  let depth = 0;
  for (let i = open; i < text.length && i < open + 3000; ++i) {
    if (text[i] === '\\') ++i;
    else if (text[i] === '{') ++depth;
    else if (text[i] === '}' && --depth === 0) return i;
  }
  return -1;
}

const OPENINGS = /\\\[|\\\(|\$\$|\$|\\boxed\s*\{/g;

// [whole, source, display] of the formula that begins at `match`, or nothing.
function formulaAt(text, match) {
  const begin = match.index;
  const opening = match[0];
  if (opening.startsWith('\\boxed')) {
    const end = closingBrace(text, begin + opening.length - 1);
    if (end < 0) return null;
    const whole = text.slice(begin, end + 1);
    return /\{\s*\}$/.test(whole) ? null : [whole, whole, false];
  }
  const closing = {'\\[': '\\]', '\\(': '\\)', '$$': '$$', '$': '$'}[opening];
  const from = begin + opening.length;
  const end = text.indexOf(closing, from);
  if (end < 0 || end - from > 3000 || end === from) return null;
  const source = text.slice(from, end);
  if (opening === '$') {
    // "$5 and $6" is money.
    const after = text[end + 1] || '';
    if (/^\s|\s$/.test(source) || /\d/.test(after) || source.includes('\n\n')) return null;
  }
  return [text.slice(begin, end + closing.length), source, opening === '$$' || opening === '\\['];
}

function proseNodes(text) {
  const nodes = [];
  let done = 0;
  OPENINGS.lastIndex = 0;
  for (let match = OPENINGS.exec(text); match; match = OPENINGS.exec(text)) {
    const formula = formulaAt(text, match);
    if (!formula) continue;
    let end = match.index + formula[0].length;
    let before = text.slice(done, match.index);
    if (formula[2]) {
      // A displayed formula brings its own lines.
      before = before.replace(/\n[ \t]*$/, '');
      end += /^[ \t]*\n?/.exec(text.slice(end, end + 40))[0].length;
    }
    nodes.push(...emphasised(before), mathNode(formula[1], formula[2], formula[0]));
    done = end;
    OPENINGS.lastIndex = done;
  }
  nodes.push(...emphasised(text.slice(done)));
  return nodes;
}

// **bold** and # headings, which most models write; all other marks stay as they are.
function emphasised(text) {
  return text.split(/(\*\*[^*\n]+\*\*|^#{1,4} [^\n]+$)/m).map((part, i) => {
    if (i % 2 === 0) return part;
    return h('strong', {}, part.startsWith('**') ? part.slice(2, -2) : part.replace(/^#+ /, ''));
  });
}

// highlight.js gives markup of spans and five entities; it is read, not inserted.
function highlightedNodes(markup) {
  const root = document.createDocumentFragment();
  const stack = [root];
  const entities = {'&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#x27;': '\''};
  for (const part of markup.split(/(<span class="[\w -]+">|<\/span>)/)) {
    const opening = /^<span class="([\w -]+)">$/.exec(part);
    const top = stack[stack.length - 1];
    if (opening) {
      const span = document.createElement('span');
      span.className = opening[1];
      top.append(span);
      stack.push(span);
    } else if (part === '</span>') {
      if (stack.length > 1) stack.pop();
    } else {
      top.append(visible(part.replace(/&(?:amp|lt|gt|quot|#x27);/g, (e) => entities[e])));
    }
  }
  return root;
}

const LANGUAGES = {
  py: 'python', python3: 'python', 'c++': 'cpp', c: 'cpp', cc: 'cpp', js: 'javascript',
  sh: 'bash', shell: 'bash', rs: 'rust', golang: 'go',
};

function codeNode(code, language) {
  const name = LANGUAGES[language.toLowerCase()] || language.toLowerCase();
  const node = h('code', {}, code);
  if (code.length < 20000 && hljs.getLanguage(name)) {
    whenSeen(node, () => {
      node.replaceChildren(highlightedNodes(hljs.highlight(name, code, true).value));
    });
  }
  return h('pre', {class: 'code', tabindex: '0'}, node);
}

// Prose with formulas and fenced code. `raw`: as it was written.
function textNodes(text, raw) {
  if (raw) return [text];
  const nodes = [];
  const fence = /^[ \t]*```[ \t]*([\w+#-]*)[^\n]*\n([\s\S]*?)(?:^[ \t]*```[ \t]*$|$(?![\s\S]))/gm;
  let done = 0;
  for (let match = fence.exec(text); match; match = fence.exec(text)) {
    nodes.push(...proseNodes(text.slice(done, match.index)));
    nodes.push(codeNode(match[2], match[1]));
    done = match.index + match[0].length;
    if (match[0] === '') break;
  }
  nodes.push(...proseNodes(text.slice(done)));
  return nodes;
}

// A text to read; a very long one begins with its beginning.
function reading(text, {raw = false, className = 'reading'} = {}) {
  const node = h('div', {class: className, dir: 'auto'});
  if (text.length <= LONG) return put(node, textNodes(text, raw));
  put(node, textNodes(text.slice(0, LONG), raw));
  const more = h('button', {type: 'button', class: 'more', onclick: () => {
    more.replaceWith(...textNodes(text.slice(LONG), true).map((t) => visible(t)));
  }}, `Show the other ${number(text.length - LONG)} characters`);
  node.append(more);
  return node;
}

async function copyText(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {
    const area = h('textarea', {class: 'unseen'});
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  button.textContent = 'Copied';
  setTimeout(() => { button.textContent = before; }, 1200);
}

function commandLine(text) {
  const button = h('button', {type: 'button', class: 'copy', onclick: () => copyText(text, button)},
      'Copy');
  return h('div', {class: 'command'}, h('code', {tabindex: '0'}, text), button);
}

// columns: [{title, cell(row), right, head, className}]
function table(columns, rows, {caption, foot, className = ''} = {}) {
  const line = (row) => h('tr', row.attributes || {}, columns.map((column, i) => {
    const content = column.cell(row);
    const classes = [column.right ? 'right' : '', column.className || ''].join(' ').trim();
    return column.head ? h('th', {scope: 'row', class: classes || null}, content)
                       : h('td', {class: classes || null}, content);
  }));
  return h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption || 'Table'},
      h('table', {class: className},
          caption ? h('caption', {class: 'unseen'}, caption) : null,
          h('thead', {}, h('tr', {}, columns.map((column) => h('th', {
            scope: 'col', class: column.right ? 'right' : null, title: column.about,
          }, column.title)))),
          h('tbody', {}, rows.map(line)),
          foot ? h('tfoot', {}, foot) : null));
}

function section(title, about, ...children) {
  return h('section', {}, h('h2', {}, title), about ? h('p', {class: 'about'}, about) : null,
      children);
}

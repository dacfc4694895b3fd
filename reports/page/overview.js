// The first screen: which run is better, by how much, and what every number is.

function drawOverview(main) {
  const several = report.runs.length > 1;
  put(main, [
    h('section', {class: 'answer', 'aria-label': 'The answer'},
        report.verdicts.map((text) => h('p', {class: 'verdict'}, marked(text))),
        notesBox(), runCards(), stillRunning(), baselineChooser()),
    several ? differences() : null,
    report.x && several ? trend() : null,
    headline(),
    several ? flipsAndScatter() : null,
    byTag(),
    reading_notes(),
  ]);
}

// A sentence with the letters of runs in their colours.
function marked(text) {
  const letters = new Set(report.runs.map((run) => run.letter));
  // An interval is not broken over two lines.
  return text.split(/(\[[^\]]*\])/).map((part, at) => at % 2 === 1
      ? h('span', {class: 'unbroken'}, part)
      : part.split(/\b([A-Z]{1,2})\b/).map((word, i) =>
          i % 2 === 1 && letters.has(word) && report.runs.length > 1 ? runMark(word) : word));
}

function notesBox() {
  if (report.notes.length === 0) return null;
  return h('div', {class: 'warning', role: 'note'},
      h('strong', {}, 'Read the numbers with care'),
      h('ul', {}, report.notes.map((note) => h('li', {}, note))));
}

function runCards() {
  return h('ul', {class: 'runs'}, report.runs.map((run) => h('li', {},
      runMark(run.letter), h('span', {class: 'run-title'}, run.name),
      h('span', {class: 'about'}, [run.model !== run.name ? lastParts(run.model) + ' · ' : '',
        `${count(run.samples_stored, 'sample')} · ${run.state}`]))));
}

// `assay view` reads the database anew.
function stillRunning() {
  const running = report.runs.filter((run) => run.state === 'running');
  if (!report.served || running.length === 0) return null;
  return h('p', {class: 'about running'}, report.runs.length === 1 ? 'This run is still going. '
      : `Still going: ${running.map((run) => run.letter).join(', ')}. `,
  h('button', {type: 'button', onclick: () => location.reload()}, 'Read it again'));
}

// Another baseline is another report: `assay view` makes it.
function baselineChooser() {
  if (!report.served || report.runs.length < 2) return null;
  const select = h('select', {name: 'baseline', onchange: () => {
    const words = new URLSearchParams(location.search);
    words.set('baseline', select.value);
    location.assign(`/report?${words}`);
  }}, report.runs.map((run, i) => h('option', {value: report.served[run.letter], selected: i === 0},
      run.name)));
  return h('p', {class: 'bar baseline'}, h('label', {class: 'choice'}, h('span', {}, 'Baseline'), select));
}

// "checkpoints/step-500" of a long path; the whole one stands under "Runs".
const lastParts = (path) => path.split('/').filter(Boolean).slice(-2).join('/');

// --- two and more runs ---

const differenceRows = () => report.comparisons.flatMap((comparison) =>
    comparison.tasks.map((task) => ({comparison, task, b: comparison.b.letter})));

function differences() {
  const rows = differenceRows().filter((row) => row.task.difference);
  if (rows.length === 0) return null;
  const domain = differenceDomain(rows.map((row) => row.task.difference));
  const many = report.comparisons.length > 1;
  const asked = rows.length;
  const base = report.runs[0].letter;
  const verdictOf = (task) => task.p_holm >= 0.05 ? 'unseen'
      : task.difference.value > 0 ? 'better' : 'worse';
  const columns = [
    {title: 'task', head: true, cell: (r) => [r.task.task,
      r.task.comparable ? null : h('span', {class: 'flag', title: 'not the same in both runs: ' +
          visible(r.task.differs.join('; '))}, '≠')]},
    {title: 'run', cell: (r) => runMark(r.b)},
    {title: `${base} %`, right: true, cell: (r) => r.task.a_shown},
    {title: many ? 'run %' : `${report.runs[1].letter} %`, right: true, cell: (r) => r.task.b_shown},
    {title: 'difference ± error', right: true, cell: (r) => h('strong', {}, r.task.shown)},
    {title: '95 % interval', right: true, cell: (r) => r.task.interval},
    {title: 'points', cell: (r) => intervalCell(domain, r.task.difference,
        colorOf(verdictOf(r.task) === 'worse' ? base : r.b),
        {zero: 0, open: verdictOf(r.task) === 'unseen'}), className: 'chart'},
    {title: 'p', right: true, cell: (r) => r.task.p_shown, about: 'two-sided, of the paired t'},
    {title: 'p (Holm)', right: true, cell: (r) => r.task.p_holm_shown,
      about: `adjusted for ${asked} comparisons`},
    {title: 'better / worse / same', right: true,
      cell: (r) => `${r.task.wins} / ${r.task.losses} / ${r.task.ties}`,
      about: 'problems where the run\'s share of right samples is above, below, equal'},
    {title: 'visible from', right: true, cell: (r) => r.task.detectable_shown,
      about: 'a true difference of so many points would be seen in four of five runs like these'},
  ].filter((column) => (many || column.title !== 'run') && (asked > 1 || column.title !== 'p (Holm)'));
  const foot = h('tr', {}, columns.map((column) => h('td', {class: column.className || null},
      column.className === 'chart' ? intervalAxis(domain, points) : null)));
  return section(many ? `Every run against ${base}` : `${report.runs[1].letter} against ${base}`,
      `Paired by problem: pass@1 of the run minus that of ${base} on the problems that both have. ` +
      'A filled dot: seen at 5 %' +
      (asked > 1 ? `, after Holm's adjustment for ${asked} comparisons.` : '.') +
      ' An open one: these problems do not show which is better; “visible from” says how large a ' +
      'difference would have had to be.',
      table(columns, rows, {caption: 'Paired differences', foot, className: 'wide'}));
}

function pairChooser() {
  if (report.comparisons.length < 2) return null;
  const base = report.runs[0].letter;
  return choose(`${base} against`, 'pair', report.comparisons.map((c, i) =>
      [i === 0 ? '' : c.b.letter, `${c.b.letter}: ${visible(c.b.name)}`]));
}

const chosenComparison = () => comparisonOf(view.pair) || report.comparisons[0];

function flipsAndScatter() {
  const comparison = chosenComparison();
  const a = report.runs[0].letter;
  const b = comparison.b.letter;
  const tasks = comparison.tasks.filter((task) => task.difference);
  if (tasks.length === 0 && report.comparisons.length === 1) return null;
  return section('Where they differ',
      'A problem counts as right in a run when more than half of its samples are. ' +
      'Follow a number to the problems behind it.',
      pairChooser(),
      h('div', {class: 'cards'}, tasks.map((task) => majorityCard(task, a, b))),
      h('div', {class: 'charts'}, tasks.map((task) => scatterOf(task.task, a, b))));
}

function majorityCard(task, a, b) {
  const m = task.mcnemar;
  const ids = {gain: task.b_right_a_wrong, loss: task.a_right_b_wrong};
  const toFlips = (flip, total) => total === 0 ? '0' : linkTo(
      {...DEFAULTS, tab: 'problems', task: task.task, pair: view.pair, flip,
        problem: ids[flip][0] || ''},
      {'aria-label': `${count(total, 'problem')}: show them`}, number(total));
  return h('div', {class: 'card'}, h('h3', {}, task.task),
      h('table', {class: 'four'},
          h('caption', {class: 'unseen'}, `${task.task}: problems right in ${a} and in ${b}`),
          h('thead', {}, h('tr', {}, h('td', {}), h('th', {scope: 'col'}, runMark(b), ' right'),
              h('th', {scope: 'col'}, runMark(b), ' wrong'))),
          h('tbody', {},
              h('tr', {}, h('th', {scope: 'row'}, runMark(a), ' right'),
                  h('td', {}, number(m.both_right)),
                  h('td', {class: 'off'}, toFlips('loss', m.only_a_right))),
              h('tr', {}, h('th', {scope: 'row'}, runMark(a), ' wrong'),
                  h('td', {class: 'off'}, toFlips('gain', m.only_b_right)),
                  h('td', {}, number(m.both_wrong))))),
      h('p', {class: 'about'}, `McNemar's exact test of ${m.only_b_right} against ` +
          `${m.only_a_right}: p ${shownP(m.p_exact)}. Differences under ` +
          `${task.detectable_shown} points would be missed more than one time in five.`));
}

const shownP = (p) => p < 0.0001 ? '< 0.0001' : '= ' + p.toFixed(p < 0.01 ? 4 : 3);

function scatterOf(name, a, b) {
  const place = h('div', {class: 'figure-place', style: {'min-height': '430px'}});
  const index = report.tasks.findIndex((task) => task.name === name);
  whenSeen(place, async () => {
    const problems = await chunk('p' + index);
    const pairs = [];
    problems.problems.forEach((problem, i) => {
      const [x, y] = [problems.means[a][i], problems.means[b][i]];
      if (x !== null && y !== null) pairs.push({id: problem[0], a: x, b: y});
    });
    replace(place, scatter({title: `${name}, problem by problem`,
      about: `Share of right samples in ${a} and in ${b}. Above the line ${b} is better. ` +
          'A circle\'s area is the number of problems; follow it to the first of them.',
      pairs, a, b,
      onPick: (p) => go({...DEFAULTS, tab: 'problems', task: name, pair: view.pair,
        problem: p.id})}));
  });
  return place;
}

function trend() {
  const names = report.tasks.map((task) => task.name);
  const charts = names.map((name) => {
    const runs = report.runs.filter((run) => {
      const task = taskOf(run, name);
      return task && task.table.length > 0;
    }).sort((p, q) => p.x - q.x);
    if (runs.length < 2) return null;
    const at = (run) => taskOf(run, name).table[0];
    const dots = runs.map((run) => ({x: run.x, value: at(run).value, low: at(run).low,
      high: at(run).high, title: `${run.letter}, ${run.x}: ${at(run).shown}`}));
    return lineChart({title: name, about: `${at(runs[0]).name}, with its 95 % interval`,
      series: [{letter: runs[0].letter, color: 'var(--accent)', points: dots}],
      xLabel: /^[\d.,\s-]+$/.test(report.x) ? 'x' : report.x, yLabel: '%',
      xFormat: (v) => number(v),
      data: table([
        {title: 'run', head: true, cell: (r) => [runMark(r.letter), ' ', r.name]},
        {title: 'x', right: true, cell: (r) => number(r.x)},
        {title: '± error', right: true, cell: (r) => at(r).shown},
        {title: '95 % interval', right: true, cell: (r) => at(r).interval},
      ], runs, {caption: name})});
  });
  return section('Over the training run', null, h('div', {class: 'charts'}, charts));
}

// --- each run by itself ---

const share = (part, whole) => whole === 0 ? '–' : (100 * part / whole).toFixed(1);

function headline() {
  const rows = [];
  for (const {name, runs} of report.tasks) {
    let first = true;
    for (const letter of runs) {
      const run = runOf(letter);
      const task = taskOf(run, name);
      const estimates = task.table.length > 0 ? task.table : [null];
      estimates.forEach((estimate, i) => {
        rows.push({name, run, task, estimate, first, top: i === 0,
          attributes: {class: first ? 'begins' : i === 0 ? 'next' : null}});
        first = false;
      });
    }
  }
  const several = report.runs.length > 1;
  const columns = [
    {title: 'task', head: true, cell: (r) => r.first ? r.name : h('span', {class: 'unseen'}, r.name)},
    several ? {title: 'run', cell: (r) => r.top ? runMark(r.run.letter)
        : h('span', {class: 'unseen'}, r.run.letter)} : null,
    {title: 'metric', cell: (r) => (r.estimate ? r.estimate.name : 'pass@1') +
        (r.estimate && !r.task.complete ? ' (partial)' : '')},
    {title: 'value ± error, %', right: true, cell: (r) => r.estimate
        ? h('strong', {}, r.estimate.shown) : 'in ' + boundsText(r.task)},
    {title: '95 % interval', right: true, cell: (r) => r.estimate ? r.estimate.interval : ''},
    {title: '', className: 'chart', cell: (r) => r.estimate && r.estimate.unit === 'share'
        ? intervalCell([0, 1], r.estimate, several ? colorOf(r.run.letter) : 'var(--accent)')
        : boundsCell(r.task, r.estimate)},
    {title: 'problems × samples', right: true, cell: (r) => r.top
        ? `${number(r.task.problems)} × ${r.task.samples_per_problem}` : ''},
    {title: 'truncated %', right: true, cell: (r) => r.top
        ? counted(r, 'truncated', share(r.task.samples.truncated, r.task.samples.graded)) : ''},
    {title: 'no answer %', right: true, cell: (r) => r.top
        ? counted(r, 'no_answer', share(r.task.samples.no_answer, r.task.samples.graded)) : ''},
    {title: 'undecided %', right: true, cell: (r) => r.top
        ? counted(r, 'undecided', share(r.task.samples.undecided, r.task.samples.graded)) : ''},
    {title: 'missing', right: true, cell: (r) => r.top
        ? number(r.task.samples.missing + r.task.samples.ungraded) : ''},
  ].filter(Boolean);
  const foot = h('tr', {}, columns.map((column) => h('td', {class: column.className || null},
      column.className === 'chart' ? intervalAxis([0, 1], (v) => (100 * v).toFixed(0)) : null)));
  return section(several ? 'Each run by itself' : 'Results',
      'Mean over problems of the mean over samples; ± is the standard error, the interval says ' +
      'where the value would lie with other problems of the same kind.',
      table(columns, rows, {caption: 'Results', foot, className: 'wide'}), boundNotes());
}

// A count that leads to its samples.
function counted(row, outcome, text) {
  if (row.task.samples[outcome] === 0) return text;
  return linkTo({...DEFAULTS, tab: 'problems', task: row.name, run: row.run.letter, outcome}, {},
      text);
}

const boundsText = (task) => task.bounds.missing_wrong
    ? `[${(100 * task.bounds.missing_wrong.value).toFixed(1)}, ` +
      `${(100 * task.bounds.missing_right.value).toFixed(1)}]` : '–';

function boundsCell(task, estimate) {
  if (estimate || !task.bounds.missing_wrong) return null;
  const low = task.bounds.missing_wrong.value;
  const high = task.bounds.missing_right.value;
  const x = d3.scaleLinear().domain([0, 1]).range([CELL.side, CELL.width - CELL.side]);
  const chart = svg(CELL.width, CELL.height).attr('aria-hidden', 'true').attr('class', 'interval');
  chart.append('rect').attr('class', 'range').attr('x', x(low)).attr('y', 6)
      .attr('width', Math.max(1, x(high) - x(low))).attr('height', 10);
  return chart.node();
}

const countsAsWrong = (value, noun) =>
  `${count(value, noun)} ${value === 1 ? 'counts' : 'count'} as wrong`;

function boundNotes() {
  const lines = [];
  for (const run of report.runs) {
    for (const task of run.tasks) {
      const who = report.runs.length > 1 ? `${run.letter}, ${task.task}` : task.task;
      const {bounds, samples} = task;
      if (!task.complete) {
        const missing = samples.missing + samples.ungraded;
        lines.push(`${who}: ${number(missing)} of ${count(samples.planned, 'sample')} ` +
            `${missing === 1 ? 'is' : 'are'} missing; the bounds take them all wrong and all right.`);
      }
      if (bounds.truncated_right) {
        lines.push(`${who}: ${countsAsWrong(samples.truncated, 'truncated sample')}; if ` +
            `right, pass@1 would be ${bounds.truncated_right.shown.split(' ')[0]}.`);
      }
      if (bounds.undecided_right) {
        lines.push(`${who}: ${countsAsWrong(samples.undecided, 'undecided sample')}; if ` +
            `right, pass@1 would be ` +
            `${bounds.undecided_right.shown.split(' ')[0]}.`);
      }
    }
  }
  return lines.length === 0 ? null
      : h('ul', {class: 'bounds'}, lines.map((line) => h('li', {}, line)));
}

// --- by tag ---

const TAGS_SHOWN = 24;

function byTag() {
  const tasks = report.tasks.filter(({name, runs}) =>
      runs.some((letter) => taskOf(runOf(letter), name).by_tag.length > 0));
  if (tasks.length === 0) return null;
  return section('By tag', 'pass@1 of the problems that carry a tag. Few problems, wide intervals.',
      tasks.map(({name, runs}) => tagTable(name, runs)));
}

function tagTable(name, letters) {
  const byRun = new Map(letters.map((letter) => [letter,
    new Map(taskOf(runOf(letter), name).by_tag.map((tag) => [tag.tag, tag]))]));
  const tags = [...new Set(letters.flatMap((letter) => [...byRun.get(letter).keys()]))];
  const rows = tags.flatMap((tag) => letters.filter((letter) => byRun.get(letter).has(tag))
      .map((letter, i) => ({tag, letter, estimate: byRun.get(letter).get(tag), first: i === 0,
        attributes: {class: i === 0 ? 'begins' : null}})));
  const several = report.runs.length > 1;
  const columns = [
    {title: 'tag', head: true, cell: (r) => r.first
        ? linkTo({...DEFAULTS, tab: 'problems', task: name, tag: r.tag}, {}, r.tag)
        : h('span', {class: 'unseen'}, r.tag)},
    several ? {title: 'run', cell: (r) => runMark(r.letter)} : null,
    {title: '% ± error', right: true, cell: (r) => r.estimate.shown},
    {title: '95 % interval', right: true, cell: (r) => r.estimate.interval},
    {title: '', className: 'chart', cell: (r) => intervalCell([0, 1], r.estimate,
        several ? colorOf(r.letter) : 'var(--accent)')},
    {title: 'problems', right: true, cell: (r) => number(r.estimate.problems)},
    {title: 'truncated', right: true, cell: (r) => number(r.estimate.truncated)},
  ].filter(Boolean);
  const foot = h('tr', {}, columns.map((column) => h('td', {class: column.className || null},
      column.className === 'chart' ? intervalAxis([0, 1], (v) => (100 * v).toFixed(0)) : null)));
  return h('details', {class: 'fold', open: tags.length <= TAGS_SHOWN && report.tasks.length <= 3},
      h('summary', {}, h('strong', {}, name), ` · ${count(tags.length, 'tag')}`),
      table(columns, rows, {caption: `${name} by tag`, foot}));
}

function reading_notes() {
  const lines = [...new Set(report.runs.flatMap((run) => run.tasks.flatMap((task) =>
      task.means.split('\n').filter(Boolean).map((line) =>
          report.runs.length > 1 ? `${run.letter}: ${line}` : line))))];
  return h('details', {class: 'fold'}, h('summary', {}, h('strong', {}, 'What the numbers mean')),
      h('ul', {class: 'means'}, lines.map((line) => h('li', {}, line))));
}

// Problems and their samples: a list with filters, and all samples of a problem next to each other.

const LISTED = 200;

// A task's problems with each run's samples, ready to be filtered.
const loadedTasks = new Map();

function loadTask(name) {
  if (!loadedTasks.has(name)) loadedTasks.set(name, joinColumns(name));
  return loadedTasks.get(name);
}

async function joinColumns(name) {
  const index = report.tasks.findIndex((task) => task.name === name);
  const letters = runsOf(name);
  const [base, ...columns] = await Promise.all(
      [chunk('p' + index), ...letters.map((letter) => chunk(`c${index}${letter}`))]);
  const problems = base.problems.map(([id, question, reference, tags], place) => ({
    place, id, question, reference, tags: tags.map((t) => base.tags[t]),
    means: Object.fromEntries(letters.map((letter) => [letter, base.means[letter][place]])),
    samples: Object.fromEntries(letters.map((letter) => [letter, []])),
  }));
  columns.forEach((column, r) => {
    for (let i = 0; i < column.problem.length; ++i) {
      problems[column.problem[i]].samples[letters[r]].push({
        index: column.index[i], outcome: column.outcome[i], rule: column.rules[column.rule[i]],
        tier: column.tiers[column.tier[i]], answer: column.answers[column.answer[i]],
        length: column.reasoning[i] + column.answered[i],
      });
    }
  });
  const flips = flipsOf(name);
  for (const problem of problems) problem.byId = flips;
  return {
    name, letters, problems, byId: new Map(problems.map((p) => [p.id, p])),
    tags: [...base.tags].sort(),
    rules: [...new Set(columns.flatMap((c) => c.rules))].filter(Boolean).sort(),
    tiers: [...new Set(columns.flatMap((c) => c.tiers))].filter(Boolean).sort(),
    where: report.transcripts.where[name] || {},
  };
}

function flipsOf(name) {
  const comparison = chosenComparison();
  const task = comparison && comparison.tasks.find((t) => t.task === name);
  return {gain: new Set(task ? task.b_right_a_wrong : []),
    loss: new Set(task ? task.a_right_b_wrong : [])};
}

async function transcriptOf(task, problem) {
  if (report.served) return servedTranscript(task, problem);
  const at = task.where[problem.place];
  if (at === undefined) return null;
  const texts = await chunk('t' + at);
  return texts.find((t) => t.problem === problem.place && (t.asked.id === problem.id)) || null;
}

// --- transcripts that `assay view` serves: asked for when they are shown ---

let served = {key: '', transcript: null};  // the problem that is being read

async function servedTranscript(task, problem) {
  const key = task.name + '\n' + problem.place;
  if (served.key === key) return served.transcript;
  const letters = report.runs.map((run) => run.letter);
  const reply = await ask('/problem', [...letters.map((l) => ['run', report.served[l]]),
    ['task', task.name], ['problem', problem.id]]);
  const runs = {};
  letters.forEach((letter, i) => { runs[letter] = {...reply.runs[i], samples: []}; });
  served = {key, transcript: {asked: reply.asked, runs}};
  return served.transcript;
}

// The texts of these samples of a run; one answer holds as many as fit into it. What cannot be had
// stands as an error where the sample would stand.
async function fetchSamples(task, problem, letter, transcript, indices) {
  const run = transcript.runs[letter];
  run.errors = [];
  let wanted = indices.filter((index) => !run.samples.some((s) => s.index === index));
  while (wanted.length > 0) {
    try {
      const {samples} = await ask('/samples', [['run', report.served[letter]], ['task', task.name],
        ['problem', problem.id], ...wanted.slice(0, 500).map((index) => ['index', index])]);
      for (const sample of samples) {
        (sample.error === undefined ? run.samples : run.errors).push(sample);
      }
      wanted = wanted.slice(samples.length);
    } catch (error) {
      run.errors.push(...wanted.map((index) => ({index, error: error.message})));
      return;
    }
  }
}

// Problems whose prompts or samples hold the text; the last search's answer is kept.
let searched = {key: '', ids: new Set()};

async function searchServed(task, query) {
  const key = task.name + '\n' + query;
  if (searched.key === key) return searched.ids;
  const reply = await ask('/search', [...task.letters.map((l) => ['run', report.served[l]]),
    ['task', task.name], ['q', query]]);
  searched = {key, ids: new Set(reply.problems)};
  return searched.ids;
}

// --- filters ---

function sampleFits(sample) {
  if (view.outcome && OUTCOME_KEYS[sample.outcome] !== view.outcome) return false;
  if (view.rule && sample.rule !== view.rule) return false;
  if (view.tier && sample.tier !== view.tier) return false;
  if (view.min && sample.length < Number(view.min)) return false;
  return !(view.max && sample.length > Number(view.max));
}

const filtersSamples = () => view.outcome || view.rule || view.tier || view.min || view.max ||
    view.run;

function problemFits(problem, task, flips) {
  if (view.tag && !problem.tags.includes(view.tag)) return false;
  if (view.flip === 'gain' && !flips.gain.has(problem.id)) return false;
  if (view.flip === 'loss' && !flips.loss.has(problem.id)) return false;
  if (view.flip === 'any' && !flips.gain.has(problem.id) && !flips.loss.has(problem.id)) return false;
  if (!filtersSamples()) return true;
  const letters = view.run && task.letters.includes(view.run) ? [view.run] : task.letters;
  return letters.some((letter) => problem.samples[letter].some(sampleFits));
}

// Texts of transcripts, in lower case, for searching; made when first asked for.
const searchable = new Map();

async function searchedText(task, problem) {
  const key = task.name + '\n' + problem.place;
  if (!searchable.has(key)) {
    const transcript = await transcriptOf(task, problem);
    searchable.set(key, transcript === null ? '' : [
      ...(transcript.asked.messages || []).map((m) => m.content),
      ...Object.values(transcript.runs).flatMap((run) => run.samples.flatMap((s) =>
          [s.reasoning, s.answer.join(''), s.raw || '', s.why || ''])),
    ].join('\n').toLowerCase());
  }
  return searchable.get(key);
}

function listFits(task, problem, query) {
  if (problem.id.toLowerCase().includes(query)) return true;
  if (problem.question.toLowerCase().includes(query)) return true;
  if (problem.reference.toLowerCase().includes(query)) return true;
  for (const letter of task.letters) {
    if (problem.samples[letter].some((s) => s.answer.toLowerCase().includes(query))) return true;
  }
  return false;
}

// Those of `problems` that hold the text, in what the list knows or in their transcripts.
async function search(task, problems, words) {
  const query = words.toLowerCase();
  if (report.served) {
    const ids = await searchServed(task, words);
    return problems.filter((problem) => ids.has(problem.id) || listFits(task, problem, query));
  }
  const fits = await Promise.all(problems.map(async (problem) => listFits(task, problem, query) ||
      (await searchedText(task, problem)).includes(query)));
  return problems.filter((_, i) => fits[i]);
}

function gapOf(problem, letters) {
  const base = problem.means[letters[0]];
  const other = problem.means[chosenComparison() ? chosenComparison().b.letter : letters[0]];
  return base === null || other === null || other === undefined ? 0 : other - base;
}

function sorted(problems, task) {
  const means = (p) => d3.mean(task.letters, (letter) => p.means[letter]);
  const orders = {
    gain: (p, q) => gapOf(q, task.letters) - gapOf(p, task.letters),
    loss: (p, q) => gapOf(p, task.letters) - gapOf(q, task.letters),
    hard: (p, q) => means(p) - means(q),
  };
  return orders[view.sort] ? [...problems].sort(orders[view.sort]) : problems;
}

// --- the tab ---

let drawing = 0;

const canFlip = (name) => report.comparisons.some((c) => c.tasks.some(
    (task) => task.task === name && task.difference));

async function drawProblems(main) {
  const mine = ++drawing;
  const names = report.tasks.map((task) => task.name);
  const name = names.includes(view.task) ? view.task : names[0];
  const shell = h('div', {class: 'reader'});
  const list = h('div', {class: 'list'});
  const detail = h('div', {class: 'detail', id: 'detail', tabindex: '-1'});
  put(main, [h('h2', {class: 'unseen'}, view.flip ? 'Flips' : 'Problems')]);
  const task = await loadTask(name);
  if (mine !== drawing) return;
  put(main, [filterBar(task, names), put(shell, [list, detail])]);
  const flips = flipsOf(name);
  let found = task.problems.filter((problem) => problemFits(problem, task, flips));
  const words = view.q.trim();
  if (words) {
    try {
      if (report.served) replace(list, h('p', {class: 'about', role: 'status'}, 'Searching…'));
      found = await search(task, found, words);
    } catch (error) {
      if (mine !== drawing) return;
      replace(list, h('p', {class: 'warning', role: 'alert'}, `Not searched: ${error.message}`));
      return;
    }
    if (mine !== drawing) return;
  }
  found = sorted(found, task);
  // One that the filters leave out makes way for one that they leave.
  const named = task.byId.get(view.problem);
  const first = named || window.innerWidth > 900 ? found[0] : null;
  const open = found.includes(named) ? named : first;
  drawList(list, task, found, open);
  if (open) await drawDetail(detail, task, open, found);
  else replace(detail, h('p', {class: 'about'}, found.length > 0 ? 'Choose a problem.'
      : view.flip && !canFlip(name) ? 'The runs do not share this task: nothing can flip.'
          : 'No problem fits these filters.'));
}

function filterBar(task, names) {
  const b = chosenComparison() ? chosenComparison().b.letter : '';
  const a = report.runs[0].letter;
  const search = h('input', {type: 'search', name: 'q', value: view.q, placeholder: 'Search',
    oninput: () => {
      clearTimeout(search.timer);
      search.timer = setTimeout(() => {
        searchFocus = search.selectionStart;
        go({q: search.value}, {step: false});
      }, report.served ? 700 : 200);  // a server reads every transcript for it
    }});
  const amount = (name, label) => h('label', {class: 'choice'}, h('span', {}, label),
      h('input', {type: 'number', min: '0', name, value: view[name], onchange: (event) =>
          go({[name]: event.target.value}, {step: false})}));
  const any = (values, word) => [['', word], ...values.map((v) => [v, visible(v)])];
  const more = task.tags.length + task.rules.length + task.tiers.length > 0;
  const active = Object.keys(DEFAULTS).some((name) =>
      !['tab', 'task', 'problem', 'pair', 'pick', 'all', 'raw'].includes(name) &&
      view[name] !== '');
  return h('form', {class: 'bar filters', 'aria-label': 'Filters', onsubmit: (e) => e.preventDefault()},
      names.length > 1 ? choose('Task', 'task', names.map((n, i) => [i === 0 ? '' : n, n]),
          {onchange: null}) : null,
      h('label', {class: 'choice grow'}, h('span', {}, 'Search texts'), search),
      report.runs.length > 1 ? [pairChooser(), choose('Flips', 'flip', [['', 'all problems'],
        ['any', 'only flips'], ['gain', `${b} right, ${a} wrong`],
        ['loss', `${a} right, ${b} wrong`]])] : null,
      choose('Verdict', 'outcome', [['', 'any'], ...OUTCOME_KEYS.map((key, i) =>
          [key, OUTCOMES[i]])]),
      report.runs.length > 1 ? choose('In run', 'run', any(task.letters, 'any')) : null,
      task.tags.length > 0 ? choose('Tag', 'tag', any(task.tags, 'any')) : null,
      choose('Order', 'sort', [['', 'as asked'], ['hard', 'hardest first'],
        ...(b ? [['gain', `most gained by ${b}`], ['loss', `most lost by ${b}`]] : [])]),
      more ? h('details', {class: 'more-filters', open: Boolean(view.rule || view.tier ||
          view.min || view.max)}, h('summary', {}, 'More'),
          h('div', {class: 'bar'},
              task.rules.length > 0 ? choose('Extracted by', 'rule', any(task.rules, 'any')) : null,
              task.tiers.length > 0 ? choose('Decided by', 'tier', any(task.tiers, 'any')) : null,
              amount('min', 'Tokens from'), amount('max', 'to'))) : null,
      active ? h('button', {type: 'button', class: 'clear', onclick: () => go({...DEFAULTS,
        tab: view.tab, task: view.task, pair: view.pair})}, 'Clear') : null);
}

let searchFocus = null;

function drawList(list, task, found, open) {
  const letters = task.letters;
  const heading = h('p', {class: 'about', role: 'status'},
      `${number(found.length)} of ${count(task.problems.length, 'problem')}`);
  const rows = h('ol', {class: 'problems', onkeydown: arrowKeys});
  const show = (from) => put(rows, found.slice(from, from + LISTED).map((problem) => h('li', {},
      linkTo({problem: problem.id, pick: ''}, {class: 'problem',
        'aria-current': open === problem ? 'true' : null},
          h('span', {class: 'problem-id'}, problem.id),
          h('span', {class: 'problem-question'}, problem.question || '(no text)'),
          h('span', {class: 'problem-scores'}, letters.map((letter) =>
              tally(task, problem, letter)))))));
  show(0);
  let shown = LISTED;
  const more = found.length > LISTED ? h('button', {type: 'button', class: 'more', onclick: () => {
    show(shown);
    shown += LISTED;
    if (shown >= found.length) more.remove();
  }}, `Show more`) : null;
  replace(list, heading, rows, more);
  const current = rows.querySelector('[aria-current]');
  if (current) list.scrollTop = Math.max(0, current.offsetTop - 120);
}

function arrowKeys(event) {
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (!step) return;
  const links = [...event.currentTarget.querySelectorAll('a')];
  const next = links[links.indexOf(document.activeElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

// How many of a run's samples are right: a number and a bar.
function tally(task, problem, letter) {
  const samples = problem.samples[letter];
  const right = samples.filter((s) => s.outcome === 0).length;
  const missing = missingOf(task, letter, samples);
  return h('span', {class: 'tally', style: {'--run': colorOf(letter)}},
      report.runs.length > 1 ? h('span', {class: 'tally-letter'}, letter) : null,
      h('span', {class: 'tally-bar', 'aria-hidden': 'true'}, h('span', {style: {
        width: samples.length === 0 ? '0' : (100 * right / (samples.length + missing)) + '%'}})),
      h('span', {class: 'tally-count', title: missing > 0 ? `${missing} missing` : null},
          samples.length === 0 ? 'missing' : `${right}/${samples.length}`));
}

// Samples of a problem that the run was to draw and does not hold.
function missingOf(task, letter, samples) {
  const own = taskOf(runOf(letter), task.name);
  return own ? Math.max(0, own.samples_per_problem - samples.length) : 0;
}

// --- one problem ---

function picked(letter) {
  const found = view.pick.split(',').find((word) => word.startsWith(letter + ':'));
  return found ? Number(found.slice(letter.length + 1)) : null;
}

function pick(letter, index) {
  const words = view.pick.split(',').filter((word) => word && !word.startsWith(letter + ':'));
  return {pick: [...words, `${letter}:${index}`].join(',')};
}

// The sample that is shown first: what the filters ask for, else what makes the problem a flip.
function firstSample(problem, letter, transcript) {
  const samples = problem.samples[letter];
  const chosen = picked(letter);
  if (chosen !== null && samples.some((s) => s.index === chosen)) return chosen;
  const kept = new Set(transcript && transcript.runs[letter]
      ? transcript.runs[letter].samples.map((s) => s.index) : []);
  const readable = samples.filter((s) => report.served || kept.size === 0 || kept.has(s.index));
  const fitting = filtersSamples() && (!view.run || view.run === letter)
      ? readable.find(sampleFits) : null;
  if (fitting) return fitting.index;
  const mostlyRight = problem.means[letter] > 0.5;
  const usual = readable.find((s) => (s.outcome === 0) === mostlyRight) || readable[0] || samples[0];
  return usual ? usual.index : null;
}

// The samples of a run that are read now.
function shownIndices(problem, letter, transcript) {
  if (view.all) return problem.samples[letter].map((s) => s.index);
  const chosen = firstSample(problem, letter, transcript);
  return chosen === null ? [] : [chosen];
}

async function drawDetail(detail, task, problem, found) {
  const mine = drawing;
  const letters = shownLetters(task);
  let transcript = null;
  let trouble = null;
  try {
    transcript = await transcriptOf(task, problem);
    if (report.served) {
      await Promise.all(letters.map((letter) => fetchSamples(task, problem, letter, transcript,
          shownIndices(problem, letter, transcript))));
    }
  } catch (error) {
    if (!report.served) throw error;
    trouble = h('p', {class: 'warning', role: 'alert'}, `Its texts cannot be shown: ${error.message}`);
  }
  if (mine !== drawing) return;
  const at = found.indexOf(problem);
  const step = (by, text, label) => found[at + by]
      ? linkTo({problem: found[at + by].id, pick: ''}, {class: 'step', 'aria-label': label}, text)
      : h('span', {class: 'step off'}, text);
  replace(detail,
      h('div', {class: 'detail-head'}, h('h3', {}, problem.id),
          h('span', {class: 'tags'}, problem.tags.map((tag) => h('span', {class: 'tag'}, tag))),
          h('nav', {class: 'steps', 'aria-label': 'Problems'}, step(-1, '←', 'Previous problem'),
              step(1, '→', 'Next problem'))),
      trouble,
      askedNode(transcript ? transcript.asked : {messages: [{role: 'user',
        content: problem.question}], reference: problem.reference}, problem),
      h('div', {class: 'switches'},
          toggle('all', 'All samples side by side'), toggle('raw', 'Texts as written')),
      h('div', {class: view.all ? 'sides all' : 'sides'}, letters.map((letter) =>
          sideNode(task, problem, letter, transcript))));
}

// With many runs the base and the chosen one are read side by side, the others on demand.
function shownLetters(task) {
  if (task.letters.length <= 3 || view.all) return task.letters;
  const pair = [report.runs[0].letter, chosenComparison().b.letter];
  return task.letters.filter((letter) => pair.includes(letter));
}

function toggle(name, text) {
  return h('label', {class: 'toggle'}, h('input', {type: 'checkbox', name, checked: view[name] === '1',
    onchange: (event) => go({[name]: event.target.checked ? '1' : ''}, {step: false})}), text);
}

function askedNode(asked, problem) {
  const raw = view.raw === '1';
  const messages = asked.messages || [];
  return h('div', {class: 'asked'},
      messages.map((message) => h('div', {class: 'message'},
          messages.length > 1 || message.role !== 'user' ? h('p', {class: 'role'}, message.role) : null,
          reading(message.content, {raw}))),
      asked.reply_prefix ? h('p', {class: 'about'}, 'The reply is forced to begin with ',
          h('code', {}, asked.reply_prefix)) : null,
      h('p', {class: 'reference'}, h('span', {class: 'name'}, 'Reference'),
          h('span', {class: 'value'}, referenceNodes(asked.reference || problem.reference, raw))));
}

// A reference is mathematics more often than it says so.
function referenceNodes(text, raw) {
  if (raw) return text;
  if (/^[^$]*[\\^_][^$]*$/.test(text) && text.length < 300 && !text.includes('\n')) {
    return mathNode(text, false, text);
  }
  return textNodes(text, false);
}

function sideNode(task, problem, letter, transcript) {
  const samples = problem.samples[letter];
  const run = runOf(letter);
  const texts = transcript && transcript.runs[letter];
  const chosen = firstSample(problem, letter, transcript);
  const missing = missingOf(task, letter, samples);
  const chips = h('div', {class: 'chips', role: 'group', 'aria-label': `Samples of ${letter}`},
      samples.map((sample) => h('button', {
        type: 'button', class: `chip ${OUTCOME_KEYS[sample.outcome]}` +
            (filtersSamples() && !sampleFits(sample) ? ' faint' : ''),
        'aria-pressed': !view.all && sample.index === chosen ? 'true' : 'false',
        'aria-label': `Sample ${sample.index + 1}: ${OUTCOMES[sample.outcome]}`,
        title: `sample ${sample.index + 1}: ${OUTCOMES[sample.outcome]}` +
            (sample.answer ? `, ${visible(sample.answer)}` : '') + `, ${number(sample.length)} tokens`,
        onclick: () => go({...pick(letter, sample.index), all: ''}, {step: false}),
      }, OUTCOME_MARKS[sample.outcome])));
  const shown = shownIndices(problem, letter, transcript);
  return h('section', {class: 'side', 'aria-label': `Run ${letter}`, style: {'--run': colorOf(letter)}},
      h('div', {class: 'side-head'}, report.runs.length > 1 ? runMark(letter, true) : null,
          h('span', {class: 'about'}, `${samples.filter((s) => s.outcome === 0).length} of ` +
              `${samples.length} right` + (missing > 0 ? `, ${missing} missing` : ''))),
      chips, answersLine(samples),
      texts && texts.asked ? h('details', {class: 'fold'}, h('summary', {}, 'Asked otherwise here'),
          askedNode(texts.asked, problem)) : null,
      h('div', {class: 'samples'}, shown.map((index) => sampleNode(run, task, problem,
          samples.find((s) => s.index === index),
          texts ? [...texts.samples, ...(texts.errors || [])].find((s) => s.index === index)
              : null))));
}

// What was answered how often: "12 ×5, 14 ×3".
function answersLine(samples) {
  const counts = d3.nest().key((s) => s.answer).entries(samples.filter((s) => s.answer))
      .sort((p, q) => q.values.length - p.values.length);
  if (counts.length < 2) return null;
  const shown = counts.slice(0, 6);
  return h('p', {class: 'answers'}, shown.map((one, i) => [i > 0 ? ' · ' : '',
    h('span', {class: one.values[0].outcome === 0 ? 'right-answer' : null},
        one.key.length > 40 ? one.key.slice(0, 40) + '…' : one.key), ` ×${one.values.length}`]),
  counts.length > shown.length ? ` · ${counts.length - shown.length} more` : null);
}

function sampleNode(run, task, problem, sample, text) {
  const outcome = OUTCOME_KEYS[sample.outcome];
  const head = h('p', {class: `sample-verdict ${outcome}`},
      h('strong', {}, `${OUTCOME_MARKS[sample.outcome]} ${OUTCOMES[sample.outcome]}`),
      text && text.score > 0 && text.score < 1 ? ` (score ${text.score})` : null,
      h('span', {class: 'sample-number'}, `sample ${sample.index + 1}`));
  if (text && text.error !== undefined) {
    return h('article', {class: 'sample'}, head,
        h('p', {class: 'warning', role: 'alert'}, `Its text cannot be shown: ${text.error}`));
  }
  if (!text && report.served) return h('article', {class: 'sample'}, head);  // said above
  if (!text) {
    return h('article', {class: 'sample'}, head,
        sample.answer ? fact('Extracted', sample.answer) : null,
        h('p', {class: 'about'}, 'Its text is not in this page. On the machine that holds the ',
            'run `assay view` shows all of them, and this one (name its database with --db ',
            'where it is not assay.db):'),
        commandLine(`assay show ${run.run} --task ${shellWord(task.name)} --problem ` +
            `${shellWord(problem.id)} --sample ${sample.index + 1} --reasoning`));
  }
  const raw = view.raw === '1';
  return h('article', {class: 'sample'}, head,
      text.outcome !== undefined && text.outcome !== outcome ? h('p', {class: 'warning'},
          `It is graded otherwise since this page was loaded: ${text.outcome.replace('_', ' ')}. ` +
          'Reload the page for numbers that go with it.') : null,
      text.why ? h('p', {class: 'why'}, text.why) : null,
      thinkingNode(text, raw), answerNode(text, raw), facts(text, sample),
      earlierVerdicts(text),
      text.verify ? h('details', {class: 'check'}, h('summary', {}, 'Check this verdict'),
          commandLine(text.verify)) : null);
}

function earlierVerdicts(text) {
  const earlier = (text.history || []).slice(0, -1).reverse();
  if (earlier.length === 0) return null;
  const name = (key) => OUTCOMES[OUTCOME_KEYS.indexOf(key)];
  return h('details', {class: 'check earlier'},
      h('summary', {}, earlier.length === 1 ? 'Its earlier verdict'
          : `Its ${earlier.length} earlier verdicts`),
      h('dl', {}, earlier.map((one) => fact(one.grader,
          [h('span', {class: one.outcome}, name(one.outcome)), one.why ? `: ${one.why}` : null]))));
}

const shellWord = (text) => /^[\w./:=+,@%-]+$/.test(text) ? text
    : '\'' + text.replace(/'/g, '\'\\\'\'') + '\'';

function thinkingNode(text, raw) {
  if (!text.reasoning.trim()) return null;
  const node = h('details', {class: 'thinking'}, h('summary', {},
      `Thinking · ${number(text.reasoning_tokens)} tokens`,
      text.unclosed ? h('span', {class: 'flag'}, 'never closed') : null,
      h('span', {class: 'preview'}, text.reasoning.trim().slice(0, 140))));
  node.addEventListener('toggle', () => {
    if (node.open && node.childElementCount === 1) node.append(reading(text.reasoning, {raw}));
  });
  return node;
}

function answerNode(text, raw) {
  const [first, found, after] = text.answer;
  const before = raw ? first : first.replace(/^\s*\n/, '');  // the lines after the thinking
  if (text.raw !== undefined) {
    return h('div', {class: 'answer-text'}, h('p', {class: 'role'}, 'The reply as it came'),
        text.raw ? reading(text.raw, {raw}) : h('p', {class: 'about'}, '(empty)'));
  }
  if (text.answer.length === 1) {
    return before.trim() ? h('div', {class: 'answer-text'}, reading(before, {raw}))
        : h('p', {class: 'about'}, 'No text after the thinking.');
  }
  const node = h('div', {class: 'answer-text reading', dir: 'auto'});
  // The mark cuts a formula in two: with formulas rendered, the whole one is marked.
  if (raw || !widened(before, found, after)) {
    return put(node, [before, h('mark', {}, found), after]);
  }
  const [head, marked, tail] = widened(before, found, after);
  return put(node, [textNodes(head, false), h('mark', {}, textNodes(marked, false)),
    textNodes(tail, false)]);
}

// The found piece together with the formula or the fence that it lies in; nothing where that
// cannot be told.
function widened(before, found, after) {
  const text = before + found + after;
  const begin = before.length;
  const end = begin + found.length;
  const fence = /^[ \t]*```[^\n]*\n[\s\S]*?^[ \t]*```[ \t]*$/gm;
  for (let match = fence.exec(text); match; match = fence.exec(text)) {
    if (match.index <= begin && match.index + match[0].length >= end) {
      return [text.slice(0, match.index), match[0], text.slice(match.index + match[0].length)];
    }
  }
  OPENINGS.lastIndex = 0;
  for (let match = OPENINGS.exec(text); match; match = OPENINGS.exec(text)) {
    const formula = formulaAt(text, match);
    if (!formula) continue;
    const last = match.index + formula[0].length;
    if (match.index <= begin && last >= end) {
      return [text.slice(0, match.index), formula[0], text.slice(last)];
    }
    if (match.index < end && last > begin) return null;
    OPENINGS.lastIndex = last;
  }
  return [before, found, after];
}

function fact(name, value) {
  return h('div', {class: 'fact'}, h('dt', {}, name), h('dd', {}, value));
}

const DETAIL_NAMES = {tier: 'Decided by', verdict: 'Checker', digits: 'Digits',
  reference: 'Reference read as', answer: 'Answer read as',
  reference_reading: 'Reference read by', answer_reading: 'Answer read by'};

function facts(text, sample) {
  const list = [];
  if (text.extracted !== undefined) {
    list.push(fact('Extracted', [h('code', {}, text.extracted), ` by ${text.rule}`]));
    if (text.strict !== undefined) {
      list.push(fact('Strictly', text.strict === null ? 'nothing in the form asked for'
          : h('code', {}, text.strict)));
    }
  } else if (sample.outcome !== 3) {
    list.push(fact('Extracted', 'nothing'));
  }
  if (text.grader) list.push(fact('Graded by', text.grader));
  for (const [name, value] of Object.entries(text.detail || {})) {
    if (value === null || value === '') continue;
    list.push(fact(DETAIL_NAMES[name] || name, typeof value === 'object'
        ? h('pre', {class: 'code'}, JSON.stringify(value, null, 1)) : h('code', {}, String(value))));
  }
  list.push(fact('Tokens', `${number(text.prompt_tokens)} asked, ` +
      `${number(text.reasoning_tokens)} thinking, ${number(text.answer_tokens)} answer` +
      (text.measured ? '' : ' (estimated)')));
  list.push(fact('Ended', text.finish + `, after ${Number(text.seconds).toFixed(1)} s` +
      (text.cost_usd !== undefined ? `, ${text.cost_usd} USD` : '')));
  list.push(fact('Seed', String(text.seed)));
  return h('details', {class: 'check'}, h('summary', {}, 'How it was judged'), h('dl', {}, list));
}

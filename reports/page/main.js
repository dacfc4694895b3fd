// The frame: unpacks the report, draws the tab that the address names, and listens.

const TABS = [
  ['overview', 'Overview', drawOverview],
  ['curves', 'Curves', drawCurves],
  ['problems', 'Problems', drawProblems],
  ['runs', 'Runs', drawRuns],
];

function drawNav() {
  const links = TABS.map(([name, text]) => [text, {...DEFAULTS, tab: name, task: view.task,
    pair: view.pair}, view.tab === name && !(name === 'problems' && view.flip)]);
  if (report.comparisons.length > 0) {
    links.splice(3, 0, ['Flips', {...DEFAULTS, tab: 'problems', flip: 'any', task: view.task,
      pair: view.pair}, view.tab === 'problems' && view.flip !== '']);
  }
  replace($('nav'), links.map(([text, to, here]) => linkTo(to, {'aria-current': here ? 'page' : null}, text)));
}

// --- the tab "Runs": what every number means and how to get it again ---

function drawRuns(main) {
  put(main, [differencesOfManifests(), report.runs.map(runNode), licences()]);
}

function differencesOfManifests() {
  const rows = report.comparisons.flatMap((c) => c.tasks.flatMap((task) =>
      task.differs.map((what) => ({letter: c.b.letter, task: task.task, what}))));
  if (report.comparisons.length === 0) return null;
  const base = report.runs[0].letter;
  if (rows.length === 0) {
    return section('Are the runs comparable?', 'Yes: the same problems, prompts, sampling, ' +
        'extraction and grading in all of them. What differs is the model.');
  }
  return section('Are the runs comparable?', `Only with care. Against ${base} this is not the same:`,
      table([
        {title: 'run', head: true, cell: (r) => runMark(r.letter)},
        {title: 'task', cell: (r) => r.task},
        {title: `${base} against the run`, cell: (r) => r.what},
      ], rows, {caption: 'What differs'}));
}

function runNode(run) {
  const manifest = run.manifest;
  const plain = (value) => value === null || value === undefined || value === '' ? null
      : typeof value === 'object' ? (Object.keys(value).length === 0 ? null : JSON.stringify(value))
      : String(value);
  const line = (name, value) => plain(value) === null ? null : fact(name, plain(value));
  const folded = (name, value, summary) => plain(value) === null ? null
      : fact(name, h('details', {}, h('summary', {}, summary), h('pre', {class: 'code', tabindex: '0'},
          JSON.stringify(value, null, 2))));
  return h('section', {class: 'run'}, h('h2', {}, runMark(run.letter), ' ', run.name),
      h('dl', {class: 'manifest'},
          line('Run', run.run), line('Model', manifest.model), line('Known as', manifest.model_hash),
          line('Backend', manifest.backend), folded('Options', manifest.backend_options,
              Object.keys(manifest.backend_options ?? {}).join(', ')),
          line('Endpoints', manifest.base_urls),
          line('Samples', `${number(run.samples_stored)} of ${number(run.samples_planned)}, ` +
              run.state + (run.failures > 0 ? `, ${number(run.failures)} failed` : '')),
          line('Stopped', run.stopped_by),
          line('Seed', manifest.seed), line('Started', manifest.started),
          line('Finished', run.finished), line('Host', manifest.host),
          line('assay', manifest.assay_version + (manifest.code_version
              ? `, code ${manifest.code_version}` : '')),
          manifest.sessions.length > 1 ? folded('Sessions', manifest.sessions,
              `${manifest.sessions.length}, the last from ${manifest.sessions.at(-1).started}`) : null),
      published(run), deviations(run),
      run.reproduce ? [h('h3', {class: 'reproduce'}, 'How to reproduce it'),
        commandLine(run.reproduce)] : null,
      run.tasks.map((task) => taskManifest(manifest.tasks.find((t) => t.name === task.task))));
}

function published(run) {
  if (run.published.length === 0) return null;
  return [h('h3', {class: 'reproduce'}, 'Beside the published figures'), table([
    {title: 'task', head: true, cell: (r) => r.task},
    {title: 'metric', cell: (r) => r.metric},
    {title: 'published', cell: (r) => r.published},
    {title: 'here', cell: (r) => r.here},
  ], run.published, {caption: 'Published figures and this run'})];
}

function deviations(run) {
  const rows = run.recipe_deviations.flatMap((one) => one.deviations.map((what) =>
      ({task: one.task, recipe: one.recipe, what})));
  if (run.recipe_deviations.length === 0) return null;
  const names = [...new Set(run.recipe_deviations.map((one) => one.recipe))].join(', ');
  if (rows.length === 0) return h('p', {class: 'about'}, `As the recipe ${names} has it.`);
  return [h('h3', {class: 'reproduce'}, 'Where it deviates from the published protocol'), table([
    {title: 'task', head: true, cell: (r) => r.task},
    {title: 'recipe', cell: (r) => r.recipe},
    {title: 'here', cell: (r) => r.what},
  ], rows, {caption: 'Deviations from the recipe'})];
}

function taskManifest(task) {
  const rows = ['version', 'dataset_path', 'dataset_sha256', 'prompt_hash', 'task_hash',
    'problems', 'samples_per_problem', 'sampling', 'extractor', 'extract_options', 'grader',
    'grader_version', 'grader_options', 'metrics'].map((name) => {
    const value = task[name];
    if (value === null || value === '' || value === undefined) return null;
    if (typeof value === 'object' && Object.keys(value).length === 0) return null;
    return fact(name.replace(/_/g, ' '), typeof value === 'object' ? JSON.stringify(value)
        : String(value));
  });
  return h('details', {class: 'fold'}, h('summary', {}, h('strong', {}, task.name),
      ` · version ${task.version}`), h('dl', {class: 'manifest'}, rows),
  h('details', {class: 'fold'}, h('summary', {}, 'Its definition'),
      h('pre', {class: 'code', tabindex: '0'}, JSON.stringify(task.definition, null, 2))));
}

function licences() {
  return h('section', {class: 'licences'}, h('h2', {}, 'In this page'),
      h('p', {class: 'about'}, `Written by assay ${report.assay}. It holds KaTeX (MIT, Khan ` +
          'Academy and contributors; fonts SIL OFL 1.1), D3 (BSD-3-Clause, Mike Bostock) and ' +
          'highlight.js (BSD-3-Clause, Ivan Sagalaev and contributors). ' + (report.served
            ? 'It asks the `assay view` that served it for transcripts, and nobody else for anything.'
            : 'It asks the network for nothing.')));
}

// --- drawing ---

draw = () => {
  drawNav();
  const main = $('main');
  const focused = document.activeElement && document.activeElement.name;
  const scrolled = main.querySelector('.list') ? main.querySelector('.list').scrollTop : 0;
  main.textContent = '';
  for (const node of [...unseen.keys()]) {
    seen.unobserve(node);
    unseen.delete(node);
  }
  const [, title, paint] = TABS.find(([name]) => name === view.tab) || TABS[0];
  document.title = `${title} · ${visible(report.title)} · assay`;
  document.body.dataset.tab = view.tab;
  const done = paint(main);
  if (done && done.then) {
    done.then(() => {
      const list = main.querySelector('.list');
      if (list && scrolled) list.scrollTop = scrolled;
      refocus(main, focused);
      document.body.dataset.drawn = address({});
    }).catch(failed);
  } else {
    refocus(main, focused);
    document.body.dataset.drawn = address({});
    // Charts below the first screen, before somebody prints the page.
    setTimeout(() => main.querySelectorAll('.figure-place').forEach(see), 500);
  }
};

// A filter that was being set keeps the keyboard.
function refocus(main, name) {
  if (!name) return;
  const node = main.querySelector(`[name="${name}"]`);
  if (!node) return;
  node.focus({preventScroll: true});
  if (name === 'q' && searchFocus !== null) node.setSelectionRange(searchFocus, searchFocus);
}

function failed(error) {
  replace($('main'), h('p', {class: 'warning'}, `This page cannot be shown: ${error.message}`));
  throw error;
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches;
  setTheme(dark ? 'light' : 'dark');
}

async function begin() {
  if (typeof DecompressionStream === 'undefined') {
    throw new Error('it needs a browser of 2023 or newer (DecompressionStream)');
  }
  report = await chunk('data');
  $('title').textContent = visible(report.title);
  if (report.served) $('title').before(h('a', {href: '/', class: 'all-runs'}, 'All runs'));
  $('theme').addEventListener('click', switchTheme);
  readAddress();
  window.addEventListener('popstate', () => { readAddress(); draw(); });
  window.addEventListener('hashchange', () => {
    if (document.body.dataset.drawn === location.hash) return;
    readAddress();
    draw();
  });
  // Folded parts are printed unfolded.
  window.addEventListener('beforeprint', () => {
    for (const node of document.querySelectorAll('details:not(.data)')) node.open = true;
    seeAll();
    for (const stage of document.querySelectorAll('.stage')) stage.drawNow();
  });
  draw();
  document.body.dataset.ready = String(Math.round(performance.now()));
}

begin().catch(failed);

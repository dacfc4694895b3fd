// Curves of one task: against k, length and budget, lengths themselves, and what an answer costs.

const POWERS = d3.range(0, 25).map((i) => 2 ** i);

function drawCurves(main) {
  const names = report.tasks.map((task) => task.name);
  const name = names.includes(view.task) ? view.task : names[0];
  const letters = runsOf(name);
  const curves = letters.map((letter) => ({letter, task: taskOf(runOf(letter), name)}))
      .map(({letter, task}) => ({letter, task, curves: task.curves}));
  put(main, [
    h('div', {class: 'bar'}, choose('Task', 'task', names.map((n, i) => [i === 0 ? '' : n, n])),
        legendOf(letters)),
    curves.filter((c) => !c.task.complete).map((c) => h('p', {class: 'warning'},
        `${c.letter}: ${count(c.task.samples.missing + c.task.samples.ungraded, 'sample')} ` +
        'missing; its curves are of the rest.')),
    h('div', {class: 'charts'}, againstK(name, curves), againstBudget(name, curves),
        againstLength(name, curves), lengths(name, curves)),
    costs(name, curves),
  ]);
}

const estimateColumns = (x) => [
  {title: 'run', head: true, cell: (r) => r.letter},
  x,
  {title: '% ± error', right: true, cell: (r) => r.p.shown},
  {title: '95 % interval', right: true, cell: (r) => r.p.interval},
];

const rowsOf = (curves, list) => curves.flatMap((c) => list(c).map((p) => ({letter: c.letter, p})));

function againstK(name, curves) {
  const series = curves.flatMap(({letter, curves: c}) => [
    {letter, points: c['pass@k'].map((p) => ({...p, x: p.k, title: `${letter} pass@${p.k}: ${p.shown}`}))},
    {letter, dash: '5 4',
      points: c['cons@k'].map((p) => ({...p, x: p.k, title: `${letter} cons@${p.k}: ${p.shown}`}))},
  ]);
  const why = [...new Set(curves.map((c) => c.curves.no_consensus).filter(Boolean))];
  return lineChart({
    title: 'pass@k and cons@k',
    about: 'Filled, solid: the chance that one of k samples is right. Open, dashed: that the most ' +
        'frequent answer of k is. Bands are 95 % intervals.' +
        (why.length > 0 ? ` No cons@k: ${why.join('; ')}.` : ''),
    series, xLog: true, xLabel: 'k samples', yLabel: '%',
    xTicks: POWERS.filter((k) => curves.some((c) => c.curves['pass@k'].some((p) => p.k === k))),
    xFormat: (k) => number(k), label: `${name}: pass@k and cons@k`,
    data: [
      table(estimateColumns({title: 'pass@k, k', right: true, cell: (r) => r.p.k}),
          rowsOf(curves, (c) => c.curves['pass@k']), {caption: 'pass@k'}),
      table(estimateColumns({title: 'cons@k, k', right: true, cell: (r) => r.p.k}),
          rowsOf(curves, (c) => c.curves['cons@k']), {caption: 'cons@k'}),
    ],
  });
}

function againstBudget(name, curves) {
  const greyed = curves.some((c) => c.curves.budget.some((p) => !p.identified));
  return lineChart({
    title: 'Accuracy within a token budget',
    about: 'From the stored traces: a sample counts where it is right and fits. A lower bound for ' +
        'a model that knows its budget.' + (greyed ? ' Grey: above the cap the truncated samples ' +
        'were never seen to end; the value lies somewhere in the range.' : ''),
    series: curves.map(({letter, curves: c}) => ({letter, points: c.budget.map((p) => ({
      ...p, x: p.budget, until: p.identified ? undefined : p.if_cut_right.value,
      title: `${letter}, ${number(p.budget)} tokens: ${p.shown}, ${percent(p.cut_share)} cut`,
    }))})),
    xLog: true, xLabel: 'tokens, thinking and answer', yLabel: '%',
    xTicks: budgetTicks(curves), xFormat: (v) => number(v),
    label: `${name}: accuracy within a token budget`,
    data: table([
      ...estimateColumns({title: 'budget', right: true, cell: (r) => number(r.p.budget)}),
      {title: 'cut', right: true, cell: (r) => percent(r.p.cut_share)},
      {title: 'known', cell: (r) => r.p.identified ? 'yes'
          : `no: up to ${r.p.if_cut_right.shown.split(' ')[0]}`},
    ], rowsOf(curves, (c) => c.curves.budget), {caption: 'Accuracy within a token budget'}),
  });
}

function budgetTicks(curves) {
  const all = curves.flatMap((c) => c.curves.budget.map((p) => p.budget));
  return POWERS.filter((v) => v >= d3.min(all) && v <= d3.max(all));
}

const lengthName = (curves) => curves.some((c) => c.curves.length.of === 'thinking')
    ? 'thinking tokens' : 'tokens of the reply';

function againstLength(name, curves) {
  return lineChart({
    title: 'Accuracy against length',
    about: 'Samples that ended by themselves, in groups of about equal size. Hard problems are ' +
        'thought about longer: this is not what longer thinking does.',
    series: curves.map(({letter, curves: c}) => ({letter, points: c.length.accuracy.map((p) => ({
      ...p, x: Math.max(1, (p.from + p.to) / 2),
      title: `${letter}, ${number(p.from)} to ${number(p.to)} tokens: ${p.shown}`,
    }))})),
    xLabel: lengthName(curves), yLabel: '%', xFormat: (v) => number(v),
    label: `${name}: accuracy against length`,
    data: table([
      ...estimateColumns({title: 'tokens', right: true,
        cell: (r) => `${number(r.p.from)} to ${number(r.p.to)}`}),
      {title: 'samples', right: true, cell: (r) => number(r.p.samples)},
    ], rowsOf(curves, (c) => c.curves.length.accuracy), {caption: 'Accuracy against length'}),
  });
}

function lengths(name, curves) {
  const runs = curves.filter((c) => c.curves.length.histogram.edges.length > 1).map((c) => ({
    letter: c.letter, histogram: c.curves.length.histogram, samples: c.task.samples.graded,
    xLabel: lengthName(curves),
  }));
  if (runs.length === 0) return null;
  return lengthBars({title: 'Lengths', about: 'Truncated samples stand where they were cut off: ' +
      'their true length is longer.', runs});
}

function costs(name, curves) {
  const estimated = curves.some((c) => c.curves.spending.samples_with_estimated_tokens > 0);
  const priced = curves.some((c) => c.curves.spending.cost_usd !== null);
  const per = (spending, tokens) => spending.samples === 0 ? '–'
      : number(Math.round(tokens / spending.samples));
  const columns = [
    {title: 'run', head: true, cell: (r) => runMark(r.letter, report.runs.length > 1)},
    {title: 'tokens per correct answer', right: true, cell: (r) =>
        estimateText(r.curves.spending.tokens_per_correct)},
    {title: '95 % interval', right: true, cell: (r) => r.curves.spending.tokens_per_correct
        ? r.curves.spending.tokens_per_correct.interval : ''},
    {title: 'mean thinking', right: true,
      cell: (r) => per(r.curves.spending, r.curves.spending.reasoning_tokens)},
    {title: 'mean answer', right: true,
      cell: (r) => per(r.curves.spending, r.curves.spending.answer_tokens)},
    {title: 'mean thinking if right', right: true, about: 'of a reply without thinking: its tokens',
      cell: (r) => estimateText(r.curves.length.mean_correct)},
    {title: 'thinking if wrong', right: true, cell: (r) => estimateText(r.curves.length.mean_wrong)},
    {title: 'median thinking', right: true, about: 'Kaplan-Meier: truncated samples as censored',
      cell: (r) => r.curves.length.median === null ? 'beyond the cap'
          : number(r.curves.length.median)},
    {title: 'tokens in all', right: true, cell: (r) => number(
        r.curves.spending.reasoning_tokens + r.curves.spending.answer_tokens)},
    priced ? {title: 'USD', right: true, cell: (r) => r.curves.spending.cost_usd === null ? '–'
        : r.curves.spending.cost_usd.toFixed(2)} : null,
    priced ? {title: 'USD per correct answer', right: true, cell: (r) =>
        r.curves.spending.cost_per_correct ? r.curves.spending.cost_per_correct.shown
            : r.curves.spending.samples_with_cost > 0 ? 'not every sample has a cost' : '–'} : null,
    {title: 'seconds of sampling', right: true, about: 'of every sample, added up: many are drawn at once',
      cell: (r) => r.curves.spending.seconds > 0
          ? number(Math.round(r.curves.spending.seconds)) : 'not recorded'},
  ].filter(Boolean);
  return section('Cost', 'Tokens that the model wrote, over all samples, for each correct one. ' +
      (estimated ? 'Some tokens are estimated from the text: the server did not count them. ' : '') +
      (priced ? '' : 'No sample tells a price.'),
      table(columns, curves, {caption: `${name}: cost`, className: 'wide'}));
}

const estimateText = (estimate) => estimate ? estimate.shown : '–';

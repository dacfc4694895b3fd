// Charts: intervals in table cells, lines with bands, bars, and problems against problems.
//
// Numbers come from the report as they are; a chart has its table below it.

const SHARE = d3.scaleLinear().domain([0, 1]);

function svg(width, height) {
  return d3.create('svg').attr('width', width).attr('height', height)
      .attr('viewBox', `0 0 ${width} ${height}`);
}

const CELL = {width: 230, height: 22, side: 10};

// One estimate as a dot on its interval. The numbers stand beside it.
function intervalCell(domain, {low, high, value}, color, {zero = null, open = false} = {}) {
  const x = d3.scaleLinear().domain(domain).range([CELL.side, CELL.width - CELL.side]).clamp(true);
  const chart = svg(CELL.width, CELL.height).attr('aria-hidden', 'true').attr('class', 'interval');
  const middle = CELL.height / 2;
  chart.append('line').attr('class', 'rail').attr('x1', x.range()[0]).attr('x2', x.range()[1])
      .attr('y1', middle).attr('y2', middle);
  if (zero !== null) {
    chart.append('line').attr('class', 'zero').attr('x1', x(zero)).attr('x2', x(zero))
        .attr('y1', 0).attr('y2', CELL.height);
  }
  const bar = chart.append('g').style('color', color);
  bar.append('line').attr('class', 'whisker').attr('x1', x(low)).attr('x2', x(high))
      .attr('y1', middle).attr('y2', middle);
  for (const end of [low, high]) {
    bar.append('line').attr('class', 'whisker').attr('x1', x(end)).attr('x2', x(end))
        .attr('y1', middle - 4).attr('y2', middle + 4);
  }
  bar.append('circle').attr('class', open ? 'dot open' : 'dot').attr('cx', x(value))
      .attr('cy', middle).attr('r', 4.5);
  return chart.node();
}

function intervalAxis(domain, format) {
  const x = d3.scaleLinear().domain(domain).range([CELL.side, CELL.width - CELL.side]);
  const chart = svg(CELL.width, 20).attr('aria-hidden', 'true').attr('class', 'axis');
  chart.append('g').call(d3.axisBottom(x).ticks(5).tickSize(4).tickFormat(format))
      .call((g) => g.select('.domain').remove());
  return chart.node();
}

// Round ends that hold every interval and 0.
function differenceDomain(intervals) {
  const most = d3.max(intervals, (i) => Math.max(Math.abs(i.low), Math.abs(i.high))) || 0.1;
  const [low, high] = d3.scaleLinear().domain([-most, most]).nice(5).domain();
  return [Math.max(-1, low), Math.min(1, high)];
}

const points = (value) => {
  const text = (100 * value).toFixed(Math.abs(100 * value) < 2 && value !== 0 ? 1 : 0);
  return value > 0 ? '+' + text : text.replace('-', '−');
};

// A figure that is drawn again whenever its width changes.
function figure({title, about, label, draw: paint, data, legend, height = 280}) {
  const stage = h('div', {class: 'stage', style: {'min-height': height + 'px'}});
  let width = 0;
  stage.drawNow = () => {
    const now = Math.floor(stage.clientWidth);
    if (now === width || now < 50) return;
    width = now;
    const chart = svg(width, height).attr('role', 'img').attr('aria-label', label || title);
    paint(chart, width, height);
    stage.replaceChildren(chart.node());
  };
  new ResizeObserver(stage.drawNow).observe(stage);
  return h('figure', {}, h('figcaption', {}, h('h3', {}, title),
      about ? h('p', {class: 'about'}, about) : null), legend || null, stage,
      data ? h('details', {class: 'data'}, h('summary', {}, 'Numbers'), data) : null);
}

function legendOf(letters) {
  if (report.runs.length === 1) return null;
  return h('p', {class: 'legend'}, letters.map((letter) => runMark(letter, true)));
}

function axes(chart, x, y, {width, height, margin, xLabel, yLabel, xTicks, xFormat, yFormat}) {
  chart.append('g').attr('class', 'grid').attr('transform', `translate(${margin.left},0)`)
      .call(d3.axisLeft(y).ticks(5).tickSize(-(width - margin.left - margin.right)).tickFormat(''))
      .call((g) => g.select('.domain').remove());
  const bottom = d3.axisBottom(x).tickSizeOuter(0);
  if (xTicks) bottom.tickValues(xTicks);
  else bottom.ticks(Math.max(2, Math.floor(width / 90)));
  if (xFormat) bottom.tickFormat(xFormat);
  chart.append('g').attr('class', 'axis')
      .attr('transform', `translate(0,${height - margin.bottom})`).call(bottom);
  chart.append('g').attr('class', 'axis').attr('transform', `translate(${margin.left},0)`)
      .call(d3.axisLeft(y).ticks(5).tickFormat(yFormat || ((v) => (100 * v).toFixed(0))))
      .call((g) => g.select('.domain').remove());
  chart.append('text').attr('class', 'label').attr('x', width - margin.right)
      .attr('y', height - 4).attr('text-anchor', 'end').text(xLabel);
  chart.append('text').attr('class', 'label').attr('x', 0).attr('y', 12).text(yLabel);
}

const MARGIN = {top: 24, right: 14, bottom: 42, left: 34};

// series: [{letter, points: [{x, value, low, high, until}], dash}]; `until`: a second, upper curve's
// value that makes the point one of which only a range is known.
function lineChart(options) {
  const {series, xLog, xLabel, yLabel, xTicks, xFormat, legend} = options;
  const all = series.flatMap((s) => s.points);
  if (all.length === 0) return null;
  const paint = (chart, width, height) => {
    const low = d3.min(all, (p) => p.x);
    const high = d3.max(all, (p) => p.x);
    const x = (xLog ? d3.scaleLog().base(2) : d3.scaleLinear())
        .domain(low === high ? [low * 0.9, high * 1.1 + 1] : [low, high])
        .range([MARGIN.left + 8, width - MARGIN.right - 8]);
    const y = d3.scaleLinear().domain([0, 1]).range([height - MARGIN.bottom, MARGIN.top]);
    const ticks = xTicks && xTicks.length > width / 55
        ? xTicks.filter((_, i) => i % Math.ceil(xTicks.length * 55 / width) === 0) : xTicks;
    axes(chart, x, y, {width, height, margin: MARGIN, xLabel, yLabel, xTicks: ticks, xFormat});
    for (const one of series) {
      const known = one.points.filter((p) => p.until === undefined);
      const unknown = one.points.filter((p) => p.until !== undefined);
      const g = chart.append('g').style('color', one.color || colorOf(one.letter));
      if (unknown.length > 0) {
        const from = known.length > 0
            ? [{...known[known.length - 1], until: known[known.length - 1].value}] : [];
        g.append('path').attr('class', 'unknown').datum([...from, ...unknown])
            .attr('d', d3.area().x((p) => x(p.x)).y0((p) => y(p.value)).y1((p) => y(p.until)));
      }
      g.append('path').attr('class', 'band').datum(known)
          .attr('d', d3.area().x((p) => x(p.x)).y0((p) => y(p.low)).y1((p) => y(p.high)));
      g.append('path').attr('class', 'line').datum(known)
          .attr('stroke-dasharray', one.dash || null)
          .attr('d', d3.line().x((p) => x(p.x)).y((p) => y(p.value)));
      if (known.length < 3) {
        g.selectAll('line.whisker').data(known).join('line').attr('class', 'whisker')
            .attr('x1', (p) => x(p.x)).attr('x2', (p) => x(p.x))
            .attr('y1', (p) => y(p.low)).attr('y2', (p) => y(p.high));
      }
      g.selectAll('circle').data(known).join('circle').attr('class', one.dash ? 'dot open' : 'dot')
          .attr('r', 3).attr('cx', (p) => x(p.x)).attr('cy', (p) => y(p.value))
          .append('title').text((p) => visible(p.title || ''));
    }
  };
  return figure({...options, draw: paint, legend});
}

// Counts by length, stacked by outcome; one small chart for each run, on one scale.
function lengthBars({title, about, runs}) {
  const most = d3.max(runs, (run) => d3.max(run.histogram.correct, (_, i) =>
      (run.histogram.correct[i] + run.histogram.wrong[i] + run.histogram.truncated[i]) /
      run.samples)) || 1;
  const longest = d3.max(runs, (run) => run.histogram.edges[run.histogram.edges.length - 1]) || 1;
  const charts = runs.map((run) => figure({
    title: '', label: `${run.letter}: samples by length and outcome`, height: 168,
    draw: (chart, width, height) => {
      const x = d3.scaleLinear().domain([0, longest]).range([MARGIN.left, width - MARGIN.right]);
      const y = d3.scaleLinear().domain([0, most]).range([height - MARGIN.bottom, 28]).nice(4);
      axes(chart, x, y, {width, height, margin: MARGIN, xLabel: run.xLabel,
        yLabel: `${run.letter}: % of samples`});
      const {edges} = run.histogram;
      for (let i = 0; i + 1 < edges.length; ++i) {
        let base = 0;
        for (const kind of ['correct', 'wrong', 'truncated']) {
          const share = run.histogram[kind][i] / run.samples;
          if (share === 0) continue;
          chart.append('rect').attr('class', 'bar ' + kind)
              .attr('x', x(edges[i]) + 0.5)
              .attr('width', Math.max(1, x(edges[i + 1]) - x(edges[i]) - 1))
              .attr('y', y(base + share)).attr('height', y(base) - y(base + share))
              .append('title').text(`${number(edges[i])} to ${number(edges[i + 1] - 1)} tokens: ` +
                  `${number(run.histogram[kind][i])} ${kind}`);
          base += share;
        }
      }
    },
  }));
  const rows = runs.flatMap((run) => run.histogram.correct.map((_, i) => ({run, i})));
  const data = table([
    {title: 'run', cell: (r) => r.run.letter, head: true},
    {title: 'tokens', cell: (r) => `${number(r.run.histogram.edges[r.i])} to ` +
        number(r.run.histogram.edges[r.i + 1] - 1), right: true},
    {title: 'correct', cell: (r) => number(r.run.histogram.correct[r.i]), right: true},
    {title: 'wrong', cell: (r) => number(r.run.histogram.wrong[r.i]), right: true},
    {title: 'truncated', cell: (r) => number(r.run.histogram.truncated[r.i]), right: true},
  ], rows, {caption: title});
  return h('figure', {}, h('figcaption', {}, h('h3', {}, title), h('p', {class: 'about'}, about)),
      h('p', {class: 'legend'}, ['correct', 'wrong', 'truncated'].map((kind) =>
          h('span', {class: 'key ' + kind}, kind))),
      charts, h('details', {class: 'data'}, h('summary', {}, 'Numbers'), data));
}

// Problems by their mean in A and in B; equal ones share a circle, whose area is their number.
function scatter({title, about, pairs, a, b, onPick}) {
  const places = d3.nest().key((p) => p.a + '|' + p.b).entries(pairs)
      .map(({values}) => ({a: values[0].a, b: values[0].b, values}));
  places.sort((p, q) => q.values.length - p.values.length);
  const most = d3.max(places, (p) => p.values.length) || 1;
  const paint = (chart, width, height) => {
    const size = Math.min(width - 60, height - 60);
    const margin = {...MARGIN, top: 20, left: 40, right: width - 40 - size};
    // Room for the circles of 0 and 1, which would lie on the numbers.
    const x = d3.scaleLinear().domain([-0.07, 1.07]).range([margin.left, margin.left + size]);
    const y = d3.scaleLinear().domain([-0.07, 1.07]).range([20 + size, 20]);
    axes(chart, x, y, {width, height: 20 + size + MARGIN.bottom, margin, xLabel: `${a}: % right`,
      yLabel: `${b}: % right`, xTicks: [0, 0.25, 0.5, 0.75, 1],
      xFormat: (v) => (100 * v).toFixed(0)});
    chart.append('line').attr('class', 'zero').attr('x1', x(0)).attr('y1', y(0))
        .attr('x2', x(1)).attr('y2', y(1));
    const radius = d3.scaleSqrt().domain([0, most]).range([0, Math.max(4, Math.min(18, size / 18))]);
    chart.selectAll('circle').data(places).join('circle')
        .attr('class', 'bubble').attr('cx', (p) => x(p.a)).attr('cy', (p) => y(p.b))
        .attr('r', (p) => Math.max(2.5, radius(p.values.length)))
        .style('color', (p) => p.a === p.b ? 'var(--muted)' : colorOf(p.b > p.a ? b : a))
        .on('click', (p) => onPick(p.values[0]))
        .append('title').text((p) => `${p.values.length} problem` +
            `${p.values.length === 1 ? '' : 's'}: ${a} ${percent(p.a)}, ${b} ${percent(p.b)}\n` +
            visible(p.values.slice(0, 6).map((v) => v.id).join(', ')) +
            (p.values.length > 6 ? ', …' : ''));
  };
  const rows = places.slice(0, 400);
  return figure({title, about, draw: paint, height: 380,
    label: `${title}: ${count(pairs.length, 'problem')} by their share of right samples`,
    data: table([
      {title: `${a} % right`, cell: (p) => percent(p.a), right: true},
      {title: `${b} % right`, cell: (p) => percent(p.b), right: true},
      {title: 'problems', cell: (p) => number(p.values.length), right: true},
    ], rows, {caption: title})});
}

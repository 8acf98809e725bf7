// Takes the pictures of docs/mlflow.md anew, from the real MLflow UI.
//
//   degu run -m ... name=dropout_lr            the sweep of docs/mlflow.md, in a folder of its own
//   mlflow server --port 5000 --backend-store-uri sqlite:///mlruns/mlflow.db
//   npm install playwright-core                anywhere; NODE_PATH names its node_modules
//   NODE_PATH=.../node_modules node docs/hooks/mlflow_pictures.mjs http://127.0.0.1:5000 docs/images /usr/bin/chromium [NAME]
import { createRequire } from 'node:module'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const require = createRequire(join(process.env.NODE_PATH ?? process.cwd(), 'x.js'))
const { chromium } = require('playwright-core')
const [address = 'http://127.0.0.1:5000', folder = 'docs/images', executablePath = '/usr/bin/chromium', only = ''] = process.argv.slice(2)
const PATIENCE = 120_000

const api = async (path, body) => {
  const answer = await fetch(`${address}/api/2.0/mlflow/${path}`, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}
const tag = (run, key) => run.data.tags.find(each => each.key === key)?.value

const { experiments } = await api('experiments/search', { max_results: 100 })
const experiment = experiments.find(each => each.name === 'degu').experiment_id
const search = async filter => (await api('runs/search', { experiment_ids: [experiment], filter, max_results: 200 })).runs ?? []
// the newest sweep that has ended, or the one that SWEEP names
const named = process.env.SWEEP ? ` and attributes.run_name = '${process.env.SWEEP}'` : " and attributes.status = 'FINISHED'"
const [sweep] = await search(`tags.\`degu.kind\` = 'sweep'${named}`)
const studies = await search(`tags.mlflow.parentRunId = '${sweep.info.run_id}'`)
const best = studies.find(run => tag(run, 'degu.best') === 'true')
const members = await search(`tags.mlflow.parentRunId = '${best.info.run_id}'`)
const objective = tag(sweep, 'degu.objective')

const browser = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), 'pictures-')), {
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  viewport: { width: 1280, height: 760 },
})
const page = await browser.newPage()
page.setDefaultTimeout(PATIENCE)

const open = async (path, text) => {
  await page.goto(`${address}/#/${path}`, { timeout: PATIENCE })
  await page.reload({ timeout: PATIENCE })
  await page.getByText(text).first().waitFor()
  await page.waitForTimeout(Number(process.env.SETTLE_MS ?? 6000))
  for (const label of ['Close', 'Dismiss', 'Got it'])
    for (const button of await page.getByRole('button', { name: label, exact: true }).all())
      if (await button.isVisible()) await button.click({ timeout: 2000 }).catch(() => {})
}
const picture = async (name, path, text, search = '') => {
  if (only && only !== name) return
  await open(path, text)
  if (search) {
    await page.getByPlaceholder('Search metric charts').fill(search)
    await page.waitForTimeout(Number(process.env.SETTLE_MS ?? 6000))
  }
  // where the artifacts lie on one computer is nobody's business
  await page.getByText(/^Path:/).evaluateAll(found => found.forEach(each => { each.style.visibility = 'hidden' }))
  await page.screenshot({ path: join(folder, `mlflow_${name}.png`) })
}

const list = runs => encodeURIComponent(JSON.stringify(runs.map(run => run.info.run_id)))
const compare = runs => `compare-runs?runs=${list(runs)}&experiments=${encodeURIComponent(JSON.stringify([experiment]))}`
const filter = encodeURIComponent(`tags.mlflow.parentRunId = '${sweep.info.run_id}'`)
const order = `orderByKey=metrics.%60${encodeURIComponent(objective)}%60&orderByAsc=false`

// the studies of a sweep, found by a search string
await picture('runs', `experiments/${experiment}/runs?searchFilter=${filter}&${order}`, best.info.run_name.slice(0, 12))

// the same as charts
await picture('charts', `experiments/${experiment}/runs?searchFilter=${filter}&${order}&compareRunsMode=CHART`, 'Training runs', 'test/regression/pearson_r/(student|ensemble|single_mean)/mean')

// side by side, in MLflow's own parallel coordinates
await picture('compare', compare(studies), 'Parallel')

// histories of the networks of the best study
const networks = members.filter(run => run.data.metrics?.some(each => each.key === 'valid/loss'))
const quoted = value => encodeURIComponent(JSON.stringify(value))
await picture('members', `metric?runs=${list(networks)}&experiments=${quoted([experiment])}&metric=${quoted('valid/loss')}&plot_metric_keys=${quoted(['valid/loss'])}&x_axis=step`, 'valid/loss')

// the sweep's own run: figure and tables among its artifacts
await picture('sweep', `experiments/${experiment}/runs/${sweep.info.run_id}/artifacts/figures/parallel_coordinates.png`, 'sweep.json')
await browser.close()

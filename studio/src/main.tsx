// The entry of the page.
import { render } from 'preact'
import { App } from './app.tsx'
import { refuseFilesBeside } from './core/files.ts'
import { startRouter } from './core/router.ts'
import { startTheme } from './core/theme.ts'
import 'uplot/dist/uPlot.min.css'
import { askBeforeLeaving } from './leaving.ts'
import './styles/base.css'
import './styles/parts.css'
import './styles/shell.css'
import './styles/views.css'

startRouter()
startTheme()
refuseFilesBeside()
askBeforeLeaving()
render(<App />, document.getElementById('app')!)

// The chosen network: its diagram, and the blocks of the chosen stage.
import { useSignal } from '@preact/signals'
import type { NetworkBlock, NetworkProfile } from 'pantin/web'
import { inPercent, shapeText, short } from '../core/format.ts'
import { networks } from '../core/networks.ts'
import { DiagramFigure, stageText } from './diagram-figure.tsx'
import { chosen, profiles } from './facts.ts'

/** The chosen network: its diagram, and the blocks of the stage that one looks at. */
export function Network() {
  const facts = networks.value.find(({ name }) => name === chosen.value)
  const profile = profiles.value.get(chosen.value)
  return (
    <section class="panel network" aria-label="The chosen network">
      <div class="row spread">
        <h2>{facts?.title ?? chosen.value}</h2>
        {facts !== undefined && (
          <p class="note">
            {facts.paper.authors}, {facts.year}:{' '}
            <a href={facts.paper.url} target="_blank" rel="noreferrer">
              {facts.paper.title}
            </a>
            {facts.reconstruction && '. Built from the paper alone, in part inferred.'}
          </p>
        )}
      </div>
      {profile === undefined ? (
        <p class="empty tall" role="status">
          Counting this network
        </p>
      ) : (
        <Blocks key={chosen.value} title={facts?.title ?? chosen.value} profile={profile} />
      )}
    </section>
  )
}

function Blocks({ title, profile }: { readonly title: string; readonly profile: NetworkProfile }) {
  const at = useSignal(Math.min(1, profile.diagram.stages.length - 1))
  const stage = profile.diagram.stages[at.value]!
  const blocks = profile.blocks.filter(({ module }) => stage.modules.includes(module))
  return (
    <>
      <DiagramFigure
        title={title}
        diagram={profile.diagram}
        chosen={at.value}
        onChoose={(index) => {
          at.value = index
        }}
      />
      <div class="stage-text" aria-live="polite">
        <h3>
          Stage {at.value}: {stageText(stage)}
        </h3>
        {blocks.length === 0 && <p class="note">Nothing with weights is in it.</p>}
      </div>
      <ol class="blocks">
        {blocks.map((block) => (
          <BlockItem key={block.name} block={block} whole={profile.macs} />
        ))}
      </ol>
    </>
  )
}

/** Side of the pictures that networks are counted on. */
const side = 64

function BlockItem({ block, whole }: { readonly block: NetworkBlock; readonly whole: number }) {
  const { module, does, shape, params, macs, receptiveField } = block
  const seen = Math.min(side, receptiveField)
  return (
    <li>
      <svg
        class="sees"
        viewBox={`0 0 ${side} ${side}`}
        role="img"
        aria-label={`Sees ${receptiveField} of ${side} pixels`}
      >
        <rect width={side} height={side} class="frame" />
        <rect x={(side - seen) / 2} y={(side - seen) / 2} width={seen} height={seen} class="seen" />
      </svg>
      <div>
        <p class="block-name">{module}</p>
        <p>{does}</p>
        <p class="note">
          {shapeText(shape)}; {short(params)} parameters; {short(macs)} MACs ({inPercent(macs / whole)}); sees{' '}
          {receptiveField} px
        </p>
      </div>
    </li>
  )
}

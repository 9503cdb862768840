/** Installed models, as JSON. */

import type { InstalledTowers } from '../../src/clip/installed-towers.js';
import { type InstalledModel, scopeNotice } from '../../src/qwen/installed-models.js';
import type { ServerStatus } from '../../src/remote/pool-member.js';
import type { Licence } from '../../src/weights/licence.js';
import { z } from '../hono.js';
import type { ModelOverview } from '../ports.js';

const modelSchema = z
  .object({
    name: z.string(),
    state: z.enum(['ready', 'damaged']),
    purpose: z.enum(['pictures']).optional().openapi({
      description: 'It compares pictures with words and with each other; absent for models that describe.',
    }),
    dtype: z.string().optional().openapi({ description: 'How most weights are stored.' }),
    bytes: z.number().int().optional(),
    sees: z.string().optional().openapi({
      description: 'The only kind of pictures that it knows; used only by name then.',
      example: 'films of the drawn world only',
    }),
    licence: z.object({ id: z.string(), name: z.string(), summary: z.string() }).optional(),
    problem: z.string().optional().openapi({ description: 'Why it is damaged.' }),
  })
  .openapi('Model');

const serverSchema = z
  .object({
    url: z.string().openapi({ description: 'Its address, without a key or a query.' }),
    model: z.string().openapi({ description: 'The name by which it knows the model.' }),
    state: z.enum(['up', 'down', 'resting', 'open', 'half_open', 'unknown']).openapi({
      description:
        '`down`: its health checks fail. `open`: it failed too often and is left alone for a while; `half_open`: one question tries it. `resting`: it asked to be left alone. `unknown`: nothing was asked yet.',
    }),
    problem: z.string().optional().openapi({ description: 'What it said or did last, where that was no answer.' }),
    in_flight: z.number().int(),
    concurrency: z.number().int().openapi({ description: 'Questions that it is asked at once.' }),
    max_tokens: z.number().int().optional().openapi({ description: 'Room for a question and its answer together.' }),
  })
  .openapi('ModelServer');

/** Has no name in the document: the answer, which has more fields, is named. */
export const modelsSchema = z.object({
  models: z.array(modelSchema).openapi({ description: 'Built on this machine, by name.' }),
  in_use: z.string().nullable().openapi({ description: 'Who describes and answers; a server is named as its model.' }),
  servers: z.array(serverSchema).optional().openapi({ description: 'Where the model runs, when that is elsewhere.' }),
  note: z
    .string()
    .optional()
    .openapi({ description: 'What a reader of its answers should know, or why there is none in use.' }),
});

type ModelsJson = z.infer<typeof modelsSchema>;

const NONE =
  'No model looks at the pictures: what happens in them is found where words say it. See `longwatch models`.';

export function modelsJson({ models, pictures = [], inUse, servers = [] }: ModelOverview): ModelsJson {
  const used = models.find(({ name }) => name === inUse);
  const note = inUse === undefined ? NONE : used?.state === 'ready' ? scopeNotice(used) : undefined;
  return {
    models: [...models.map(modelJson), ...pictures.map(towersJson)],
    in_use: inUse ?? null,
    ...(servers.length === 0 ? {} : { servers: servers.map(serverJson) }),
    ...(note === undefined ? {} : { note }),
  };
}

function serverJson(server: ServerStatus): z.infer<typeof serverSchema> {
  const { url, model, problem, inFlight, concurrency, maxTokens } = server;
  return {
    url,
    model,
    state: stateOf(server),
    ...(problem === undefined ? {} : { problem }),
    in_flight: inFlight,
    concurrency,
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
  };
}

/** What keeps questions away comes first. */
function stateOf({ circuit, healthy, resting }: ServerStatus): z.infer<typeof serverSchema>['state'] {
  if (healthy === false) return 'down';
  if (circuit === 'open') return 'open';
  if (circuit === 'half-open') return 'half_open';
  if (resting) return 'resting';
  return healthy === undefined ? 'unknown' : 'up';
}

function towersJson(model: InstalledTowers): z.infer<typeof modelSchema> {
  const { name, state } = model;
  if (model.state === 'damaged') return { name, state, purpose: 'pictures', problem: model.problem.message };
  const { manifest, bytes, licence } = model;
  return { name, state, purpose: 'pictures', dtype: manifest.dtype, bytes, ...licenceJson(licence) };
}

function licenceJson(licence: Licence | undefined): Pick<z.infer<typeof modelSchema>, 'licence'> {
  return licence ? { licence: { id: licence.id, name: licence.name, summary: licence.summary } } : {};
}

function modelJson(model: InstalledModel): z.infer<typeof modelSchema> {
  const { name, state } = model;
  if (model.state === 'damaged') return { name, state, problem: model.problem.message };
  const { manifest, config, bytes, licence } = model;
  return {
    name,
    state,
    dtype: manifest.dtype,
    bytes,
    ...(config.sees === undefined ? {} : { sees: config.sees }),
    ...licenceJson(licence),
  };
}

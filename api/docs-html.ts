/** The OpenAPI document as one HTML page without a script. */

/** The part of an OpenAPI 3.1 document that the page shows. */
export interface OpenApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths?: Readonly<Record<string, object>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, object>> };
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema?: object;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: object }>> };
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly content?: Readonly<Record<string, { readonly schema?: object }>> }
    >
  >;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

export function docsHtml(document: OpenApiDocument): string {
  const byTag = new Map<string, string[]>();
  for (const [path, item] of Object.entries(document.paths ?? {}))
    for (const method of METHODS) {
      const operation = (item as Partial<Record<string, Operation>>)[method];
      if (!operation) continue;
      const tag = operation.tags?.[0] ?? 'Other';
      byTag.set(tag, [...(byTag.get(tag) ?? []), operationHtml(method, path, operation)]);
    }
  const sections = [...byTag].map(([tag, items]) => `<section><h2>${escapeHtml(tag)}</h2>${items.join('')}</section>`);
  const schemas = Object.entries(document.components?.schemas ?? {}).map(
    ([name, schema]) =>
      `<details id="schema-${escapeHtml(name)}"><summary><code>${escapeHtml(name)}</code></summary>${schemaHtml(schema)}</details>`,
  );
  const title = `${document.info.title} ${document.info.version}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page/page.css">
</head>
<body class="docs">
<header class="top"><a class="brand" href="/">Longwatch</a><nav><a href="/openapi.json">openapi.json</a></nav></header>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(document.info.description ?? '')}</p>
${sections.join('\n')}
<section><h2>Shapes</h2>${schemas.join('\n')}</section>
</main>
</body>
</html>
`;
}

function operationHtml(method: string, path: string, operation: Operation): string {
  const parameters = (operation.parameters ?? []).map(
    (parameter) =>
      `<tr><td><code>${escapeHtml(parameter.name)}</code></td><td>${parameter.in}${parameter.required ? ', required' : ''}</td><td><code>${escapeHtml(typeOf(parameter.schema))}</code></td><td>${escapeHtml(parameter.description ?? '')}</td></tr>`,
  );
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(
    ([type, { schema }]) => `<p>Body <code>${escapeHtml(type)}</code>: ${reference(schema)}</p>`,
  );
  const responses = Object.entries(operation.responses).map(([status, response]) => {
    const content = Object.entries(response.content ?? {}).map(
      ([type, { schema }]) => `<code>${escapeHtml(type)}</code> ${reference(schema)}`,
    );
    return `<tr><td>${escapeHtml(status)}</td><td>${escapeHtml(response.description)}</td><td>${content.join('<br>')}</td></tr>`;
  });
  return `<details><summary><b class="method">${method.toUpperCase()}</b> <code>${escapeHtml(path)}</code> <span>${escapeHtml(operation.summary ?? '')}</span></summary>
${operation.description === undefined ? '' : `<p>${escapeHtml(operation.description)}</p>`}
${parameters.length === 0 ? '' : `<table><tbody>${parameters.join('')}</tbody></table>`}
${bodies.join('')}
<table><tbody>${responses.join('')}</tbody></table>
</details>`;
}

/** A link to a named shape, or the shape itself. */
function reference(schema: object | undefined): string {
  if (schema === undefined) return '';
  const name = refName(schema);
  if (name !== undefined) return `<a href="#schema-${escapeHtml(name)}">${escapeHtml(name)}</a>`;
  return isPlain(schema) ? '' : schemaHtml(schema);
}

function schemaHtml(schema: object): string {
  return `<pre tabindex="0"><code>${escapeHtml(JSON.stringify(schema, undefined, 2))}</code></pre>`;
}

function typeOf(schema: object | undefined): string {
  const {
    type,
    enum: values,
    anyOf,
    items,
  } = (schema ?? {}) as {
    type?: string | string[];
    enum?: readonly string[];
    anyOf?: readonly object[];
    items?: object;
  };
  if (anyOf) return anyOf.map(typeOf).join(', or ');
  if (items) return `several of ${typeOf(items)}`;
  return values ? values.join(' | ') : [type ?? ''].flat().join(' | ');
}

function refName(schema: object): string | undefined {
  const ref = (schema as { $ref?: unknown }).$ref;
  return typeof ref === 'string' ? ref.split('/').at(-1) : undefined;
}

function isPlain(schema: object): boolean {
  return (schema as { type?: unknown }).type === 'string';
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

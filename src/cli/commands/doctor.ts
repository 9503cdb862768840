import { loadConfig } from '../../config.js';
import { examine } from '../../doctor.js';
import { type CommonOptions, terminalOf, verb } from '../command.js';
import { EXIT, table } from '../terminal.js';

export const doctorCommand = verb(
  'doctor',
  'what is installed, what is used, what is missing and how to get it',
).action(async (options: CommonOptions) => {
  const terminal = terminalOf(options);
  const findings = await examine(loadConfig({ library: options.library, config: options.config }));
  terminal.document({ parts: findings });
  for (const row of table(findings.map(({ name, state, detail }) => [state, name, detail]))) terminal.line(row);
  for (const { name, hint } of findings) if (hint !== undefined) terminal.note(`${name}: ${hint}`);
  process.exitCode = findings.some((finding) => finding.state === 'broken') ? EXIT.failed : EXIT.done;
});

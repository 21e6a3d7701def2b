// Parses AsyncAPI documents with the reference parser, schemas that are files
// of their own included, and checks the examples against them. Whatever the
// parser remarks, however mildly, is printed and fails.
import { Parser, fromFile } from '@asyncapi/parser';

const severities = ['error', 'warning', 'information', 'hint'];

let failed = false;
for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await fromFile(new Parser(), file).parse();
  for (const d of diagnostics) {
    failed = true;
    console.error(`${file}:${d.range.start.line + 1}:${d.range.start.character + 1} ${severities[d.severity]} ${d.code}: ${d.message} (${d.path.join('.')})`);
  }
  if (!document) {
    failed = true;
    console.error(`${file}: not an AsyncAPI document`);
    continue;
  }
  console.log(`${file}: AsyncAPI ${document.version()}, ${document.channels().length} channels, ${document.messages().length} messages`);
}
process.exit(failed ? 1 : 0);

/** Work that says how far it is, as a sequence that ends with what the work gives. */

/**
 * Yields each report, in order, as it comes; returns the result. Whoever stops listening has to stop the work by other means: it goes on.
 * @throws what `work` throws, after the reports that it made before
 */
export async function* reported<Report, Result>(
  work: (report: (report: Report) => void) => Promise<Result>,
): AsyncGenerator<Report, Result> {
  const reports: Report[] = [];
  let over = false;
  let wake = () => {};
  const result = work((report) => {
    reports.push(report);
    wake();
  }).finally(() => {
    over = true;
    wake();
  });
  // Nobody may be listening any more when it fails.
  result.catch(() => {});
  for (;;) {
    yield* reports.splice(0);
    if (reports.length > 0) continue;
    if (over) return result;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

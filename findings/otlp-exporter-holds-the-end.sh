#!/usr/bin/env bash
# OpenTelemetry's exporter for Node. A program gives forceFlush half a second, the span processor too, and its collector is away. One would guess that it ends
# after about half a second: what is traced should not hold up what traces.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"commonjs"}' > package.json
npm install --silent --ignore-scripts --no-audit --no-fund @opentelemetry/api@1.9.1 @opentelemetry/sdk-trace-base@2.12.1 @opentelemetry/exporter-trace-otlp-http@0.223.1
cat > show.js <<'JS'
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');

// Nobody listens on port 1.
const exporter = new OTLPTraceExporter({ url: 'http://127.0.0.1:1/v1/traces' });
const processor = new BatchSpanProcessor(exporter, { exportTimeoutMillis: 500 });
const provider = new BasicTracerProvider({ forceFlushTimeoutMillis: 500, spanProcessors: [processor] });
provider.getTracer('show').startSpan('one').end();
const began = performance.now();
const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
provider.forceFlush().then(
  () => console.log(`forceFlush was done after ${seconds()} s`),
  () => console.log(`forceFlush gave up after ${seconds()} s`),
);
process.on('exit', () => {
  const after = Number(seconds());
  console.log(`the process ended after ${after} s`);
  process.exitCode = after > 3 ? 0 : 1;
});
JS
echo "$(node -p "'sdk-trace-base ' + require('@opentelemetry/sdk-trace-base/package.json').version + ', exporter-trace-otlp-http ' + require('@opentelemetry/exporter-trace-otlp-http/package.json').version + ', Node ' + process.version")"
if node show.js; then status=0; else status=1; fi
echo "One would guess: it ends after half a second."
echo "It is: pauses between repeats are timers that hold the process, and neither a timeout nor shutdown() stops them; with a collector that answers nothing it is ten seconds."
if [ $status = 0 ]; then echo "as found"; else echo "this has changed"; exit 1; fi

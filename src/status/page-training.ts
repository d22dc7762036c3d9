/** Of the status page's script: how a training run gets on. */
export const TRAINING_SCRIPT = `
let drawnEpochs = 0;
function drawTraining(t) {
  for (const part of document.querySelectorAll('.pipeline')) part.hidden = Boolean(t);
  byId('training').hidden = !t;
  if (!t) return;
  byId('run').textContent = t.run;
  byId('epoch').textContent = t.epoch + ' of ' + t.epochs;
  byId('place').max = Math.max(1, t.patches);
  byId('place').value = t.done;
  byId('place').setAttribute('aria-label', (t.state === 'validating' ? 'Validation patches' : 'Patches') + ' done');
  byId('loss').textContent = t.loss === null ? '–' : t.loss.toFixed(3);
  byId('iou').textContent = t.iou === null ? '–' : t.iou.toFixed(3);
  const best = t.history.reduce((a, b) => a && a.validation.iou >= b.validation.iou ? a : b, null);
  byId('best').textContent = best ? best.validation.iou.toFixed(3) : '–';
  byId('which').textContent = best ? 'best validation IoU, epoch ' + best.epoch : 'best validation IoU';
  byId('pace').textContent = t.imagesPerSecond === null ? '–' : rate(t.imagesPerSecond);
  byId('left').textContent = t.etaSeconds === null || t.state === 'over' ? '' : span(t.etaSeconds) + ' to go';
  byId('first').hidden = t.history.length > 0;
  byId('curves').hidden = byId('lines').hidden = t.history.length === 0;
  if (t.history.length === drawnEpochs) return;
  drawnEpochs = t.history.length;
  byId('curves').src = 'training/curves.svg?epochs=' + drawnEpochs;
  byId('epochs').replaceChildren(...t.history.map(line => {
    const row = make('tr', line.best ? 'strong' : '');
    row.append(...[line.epoch + (line.best ? ' *' : ''), line.train.loss.toFixed(3), line.train.iou.toFixed(3),
      line.validation.loss.toFixed(3), line.validation.iou.toFixed(3), String(line.rate)].map(text => make('td', '', text)));
    return row;
  }).reverse());
}
`;

export const TRAINING_HTML = `<section id="training" hidden>
  <h2>Training <span id="run"></span></h2>
  <div class="figures" aria-label="Training now">
    <div><b id="epoch">–</b><span>epoch</span><progress id="place" max="1" value="0"></progress><span id="left"></span></div>
    <div><b id="loss">–</b><span>loss of this epoch</span></div>
    <div><b id="iou">–</b><span>IoU of this epoch</span></div>
    <div><b id="best">–</b><span id="which">best validation IoU</span></div>
    <div><b id="pace">–</b><span>patches learned/s</span></div>
  </div>
  <p id="first" class="quiet">Curves come with the first epoch that is over.</p>
  <img id="curves" alt="Learning curves: loss and IoU by epoch, of training and validation" hidden>
  <div id="lines" class="scroll" tabindex="0" role="region" aria-label="Epochs" hidden><table>
    <thead><tr><th>epoch</th><th>training loss</th><th>IoU</th><th>validation loss</th><th>IoU</th><th>learning rate</th></tr></thead>
    <tbody id="epochs"></tbody>
  </table></div>
</section>`;

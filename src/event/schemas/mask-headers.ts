import { place, run, slide } from './parts.js';
import { count, document, object, positive, text } from './schema.js';

/** Values as numbers and strings; on the wire each is a header `ce-<name>` and so a string. */
export const maskHeadersSchema = document(
  'mask-headers',
  'Headers of a mask',
  object('Extension attributes of a mask event; the data is a PNG of side × side pixels, 1 bit each, 1 = stroma.', {
    slide,
    run,
    ...place,
    side: count('Side of the PNG, mask pixels.', 1),
    mpp: positive('Spacing of a mask pixel, µm.'),
    downsample: positive('Level-0 pixels per mask pixel.'),
    'boundsx?': count('Left edge of the scanned part, where the slide states one; QuPath’s x is x − boundsx.'),
    'boundsy?': count('Top edge of the scanned part; QuPath’s y is y − boundsy.'),
    model: text('Name of the model bundle.'),
    modelversion: text('Version of the model bundle and the start of its content hash.'),
    stromapixels: count('Set pixels: stroma in tissue.'),
    'outsidepixels?': count('Taken for stroma outside the filter’s tissue: clear in the mask; absent: none.'),
    tissuepixels: count('Tissue pixels inside the slide, by the tissue filter.'),
    validpixels: count('Mask pixels inside the slide; what lies past its edge is 0.'),
    'missingpixels?': count('Of those, the ones that the slide does not store; absent: none.'),
    'intersection?': count('Pixels set in mask and label; only where the slide has labels.'),
    'union?': count('Pixels set in mask or label; only where the slide has labels.'),
  }),
);

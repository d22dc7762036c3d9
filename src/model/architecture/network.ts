import { buildGraph } from '../graph/builder.js';
import type { Graph } from '../graph/graph.js';
import type { Architecture } from './config.js';
import { fpnDecoder } from './fpn.js';
import { RESNETS, resnet } from './resnet.js';
import { unetDecoder } from './unet.js';
import { type Vgg, vgg } from './vgg.js';

/**
 * The whole network: an encoder shrinks the image stage by stage, a decoder brings what it found back to full size, a
 * head turns channels into one logit a class and pixel. The head's activation is left to who reads the logits.
 */
export function buildNetwork(architecture: Architecture): Graph {
  const { encoder, encoderDepth, decoder, classes } = architecture;
  return buildGraph(g => {
    const features = isResnet(encoder) ? resnet(g, encoder, encoderDepth) : vgg(g, encoder, encoderDepth);
    if (decoder.type === 'FPN') {
      const x = g.conv(fpnDecoder(g, features, decoder), 'segmentation_head.0', { out: classes, kernel: 1 });
      return g.layer(g.upsample(x, decoder.upsampling, 'bilinear-corners'), 'segmentation_head');
    }
    const x = unetDecoder(g, features, { ...decoder, centre: !isResnet(encoder) });
    return g.layer(g.conv(x, 'segmentation_head.0', { out: classes, kernel: 3 }), 'segmentation_head');
  });
}

function isResnet(encoder: keyof typeof RESNETS | Vgg): encoder is keyof typeof RESNETS {
  return encoder in RESNETS;
}

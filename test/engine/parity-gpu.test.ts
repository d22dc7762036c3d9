import { beforeAll, describe, test } from 'vitest';
import { useSoftwareGpu } from '../support/software-gpu.js';
import { THOROUGH } from '../support/thorough.js';
import { expectParity, goldenCases } from './parity.js';

/** The GPU engines on a Vulkan driver that runs on the CPU: the same shaders as on a GPU, some 10 s a model. */
const cases = await goldenCases();
const MODELS = ['fpn-resnet34-64px', ...(THOROUGH ? ['unet-vgg16-64px', 'unet-resnet34-64px'] : [])];

beforeAll(useSoftwareGpu);

describe.each(['webgpu', 'tfjs-webgpu'])('%s equals PyTorch', engine => {
  test.each(MODELS)('%s', name => expectParity(name, cases[name]!, engine));
});

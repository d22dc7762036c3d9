/** The study's networks, as smp's config.json states them. What it leaves out has the same default in every version of smp. */
const COMMON = {
  activation: null,
  aux_params: null,
  classes: 1,
  encoder_depth: 5,
  encoder_weights: null,
  in_channels: 3,
};
const UNET = { decoder_attention_type: null, decoder_channels: [256, 128, 64, 32, 16] };

export const TRAINED = {
  'fpn-resnet34': {
    _model_class: 'FPN',
    ...COMMON,
    decoder_dropout: 0.2,
    decoder_merge_policy: 'add',
    decoder_pyramid_channels: 256,
    decoder_segmentation_channels: 128,
    encoder_name: 'resnet34',
    upsampling: 4,
  },
  'unet-resnet34': { _model_class: 'Unet', ...COMMON, ...UNET, encoder_name: 'resnet34' },
  'unet-vgg16': { _model_class: 'Unet', ...COMMON, ...UNET, encoder_name: 'vgg16' },
} as const satisfies Record<string, Readonly<Record<string, unknown>>>;

export type TrainedArchitecture = keyof typeof TRAINED;
export const TRAINED_ARCHITECTURES = Object.keys(TRAINED) as TrainedArchitecture[];

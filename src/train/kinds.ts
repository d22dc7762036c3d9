/** How patches may be changed while they are learned from. The study's are the first two. */
export const AUGMENTATIONS = ['rotate', 'flip', 'hed', 'macenko', 'scale', 'blur', 'colour'] as const;
export type AugmentationName = (typeof AUGMENTATIONS)[number];

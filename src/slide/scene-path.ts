const SCENE = /^(.+\.(?:tiff?|btf|tf2|tf8))#([1-9]\d{0,3})$/i;

/** A TIFF and the number of the scene of it that a path means: `slide.ome.tif#2`. */
export function splitScene(path: string): { readonly file: string; readonly scene: number | undefined } {
  const [, file, scene] = SCENE.exec(path) ?? [];
  return { file: file ?? path, scene: scene === undefined ? undefined : Number(scene) };
}

/**
 * Cuts a video into runs that one picture stands for: where nothing changes a run goes on, where everything moves it lasts about two seconds,
 * and a new scene begins a new one. Streaming; holds one picture and the steps between two of them.
 */

import type { Picture, Thumbnail } from '../../../ingest/video/frame.js';
import type { Seconds, TimeRange } from '../../time.js';
import { type ColourGrid, gridDifference, gridOf, thumbnailStep } from './likeness.js';

/** Distance of the pictures that are looked at. A shot that is shorter may have none. */
export const PICTURE_INTERVAL: Seconds = 0.5;
/** A picture that changes little by little gets a new run after this long. */
const STEP: Seconds = 2;
/**
 * A run ends here at the latest, and whoever goes on begins anew: what follows does not depend on what came before. A still hour has sixty runs.
 */
const CHAPTER: Seconds = 60;
/** Largest change of a cell, in levels, that still is the same picture: grain and compression stay below, a hand that is raised does not. */
const SAME = 12;
/** Mean change, in levels, from one picture to the next that makes another scene of it. */
const OTHER_SCENE = 24;
/** Share of all that changed between two pictures that one frame must bring to be the cut. */
const CUT_SHARE = 0.5;

/** A stretch that one picture stands for. */
export interface PictureRun extends TimeRange {
  readonly picture: Picture;
  /** Half the distance that an edge may lie away. */
  readonly precision: Seconds;
}

/** What a picture brought to an end. */
export interface RunEnd {
  readonly run: PictureRun;
  /** Nothing is open at its end: an ingest may stop there, and go on. */
  readonly chapter: boolean;
}

interface Edge {
  readonly time: Seconds;
  readonly precision: Seconds;
}

interface OpenRun {
  readonly begin: Edge;
  readonly picture: Picture;
  readonly grid: ColourGrid;
}

export class PictureRuns {
  #run: OpenRun | undefined;
  #before: { readonly time: Seconds; readonly grid: ColourGrid } | undefined;
  #thumbnail: Thumbnail | undefined;
  /** What each frame after the last picture changed. */
  #steps: { readonly time: Seconds; readonly length: Seconds; readonly change: number }[] = [];

  /** Every frame, in order, not after its picture. */
  thumbnail(thumbnail: Thumbnail): void {
    const before = this.#thumbnail;
    this.#thumbnail = thumbnail;
    if (!before || !this.#run) return;
    const change = thumbnailStep(before, thumbnail);
    this.#steps.push({ time: thumbnail.time, length: thumbnail.time - before.time, change });
  }

  /** @returns the run that this picture ended */
  picture(picture: Picture): RunEnd | undefined {
    const { time } = picture;
    const grid = gridOf(picture);
    const run = this.#run;
    const before = this.#before;
    this.#before = { time, grid };
    const here: Edge = { time, precision: before ? (time - before.time) / 2 : 0 };
    if (!run || !before) return this.#begin(here, picture, grid);
    if (time >= chapterAfter(run.begin.time)) return this.#end(run, here, picture, grid, true);
    const isScene = gridDifference(before.grid, grid).mean > OTHER_SCENE;
    const isOther = gridDifference(run.grid, grid).most > SAME && time - run.begin.time >= STEP;
    if (isScene || isOther) return this.#end(run, this.#edge(here), picture, grid, false);
    this.#drop(time);
    return undefined;
  }

  /** The run that was open when the video ended. @param end of its last frame */
  finish(end: Seconds): PictureRun | undefined {
    const run = this.#run;
    this.#run = undefined;
    if (!run || end <= run.begin.time) return undefined;
    return { start: run.begin.time, end, picture: run.picture, precision: run.begin.precision };
  }

  #begin(begin: Edge, picture: Picture, grid: ColourGrid): undefined {
    this.#run = { begin, picture, grid };
    this.#drop(picture.time);
    return undefined;
  }

  #end(run: OpenRun, end: Edge, picture: Picture, grid: ColourGrid, chapter: boolean): RunEnd {
    // A chapter ends by the clock: nothing is known to change there, and whoever goes on there knows no picture before.
    this.#begin(chapter ? { time: end.time, precision: 0 } : end, picture, grid);
    const { begin } = run;
    const precision = Math.max(begin.precision, chapter ? 0 : end.precision);
    return { run: { start: begin.time, end: end.time, picture: run.picture, precision }, chapter };
  }

  /** The frame that brought most of the change, where there is one. */
  #edge(here: Edge): Edge {
    const steps = this.#steps.filter(({ time }) => time <= here.time);
    const all = steps.reduce((sum, { change }) => sum + change, 0);
    const [largest] = steps.sort((a, b) => b.change - a.change);
    if (!largest || largest.change < CUT_SHARE * all) return here;
    return { time: largest.time, precision: largest.length };
  }

  #drop(until: Seconds): void {
    this.#steps = this.#steps.filter(({ time }) => time > until);
  }
}

/** The same for every time of one chapter, whatever was read before. */
function chapterAfter(time: Seconds): Seconds {
  return (Math.floor(time / CHAPTER) + 1) * CHAPTER;
}

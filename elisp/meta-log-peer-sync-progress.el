;;; meta-log-peer-sync-progress.el --- Tell once what happens often  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools

;;; Commentary:

;; Who joins late gets a thousand documents within seconds, and who shares a
;; large folder sends as many.  What comes one at a time is told one by one
;; by others; here is what becomes of many: a progress reporter that counts
;; them, and one message instead of hundreds.

;;; Code:

(require 'cl-lib)

(defconst meta-log-peer-sync-progress--many 20
  "After how many documents in a row progress is shown.")

(defconst meta-log-peer-sync-progress--pause 2
  "Seconds without a further document after which it is over.")

(defconst meta-log-peer-sync-progress--gather 0.5
  "Seconds in which messages of one kind are gathered.")

(cl-defstruct (meta-log-peer-sync-progress--burst
               (:constructor meta-log-peer-sync-progress--make-burst) (:copier nil))
  "Documents that come or go in a row: their COUNT, the REPORTER, the TIMER.
LAST is when the last one came, in seconds."
  (count 0) reporter timer last)

(defvar meta-log-peer-sync-progress--bursts nil
  "What is under way, as (TEXT . BURST).")

(defvar meta-log-peer-sync-progress--gathered nil
  "Messages that wait for others, as (KIND TIMER FUNCTION TEXT...), newest first.")

;;;; Progress

(defun meta-log-peer-sync-progress--end (text)
  "End the progress called TEXT when no further document came."
  (let ((burst (cdr (assoc text meta-log-peer-sync-progress--bursts))))
    (if (and burst (< (- (float-time) (meta-log-peer-sync-progress--burst-last burst))
                      meta-log-peer-sync-progress--pause))
        (meta-log-peer-sync-progress--watch text burst)
      (meta-log-peer-sync-progress--finish text burst))))

(defun meta-log-peer-sync-progress--watch (text burst)
  "Look in a while whether BURST, called TEXT, is over."
  (setf (meta-log-peer-sync-progress--burst-timer burst)
        (run-at-time meta-log-peer-sync-progress--pause nil
                     #'meta-log-peer-sync-progress--end text)))

(defun meta-log-peer-sync-progress--finish (text burst)
  "Forget BURST, called TEXT, and say that it is over if it was shown."
  (setq meta-log-peer-sync-progress--bursts
        (assoc-delete-all text meta-log-peer-sync-progress--bursts))
  (when (and burst (meta-log-peer-sync-progress--burst-reporter burst))
    (message "%s...done (%d)" text (meta-log-peer-sync-progress--burst-count burst))))

(defun meta-log-peer-sync-progress-count (text)
  "Count one more under TEXT, and show the progress when there are many.
TEXT is what a progress reporter says, such as \"Receiving documents\"."
  (let ((burst (or (cdr (assoc text meta-log-peer-sync-progress--bursts))
                   (cdar (push (cons text (meta-log-peer-sync-progress--make-burst))
                               meta-log-peer-sync-progress--bursts)))))
    (cl-incf (meta-log-peer-sync-progress--burst-count burst))
    ;; One timer for all of them: a timer anew for each of thousands takes too long.
    (setf (meta-log-peer-sync-progress--burst-last burst) (float-time))
    (unless (meta-log-peer-sync-progress--burst-timer burst)
      (meta-log-peer-sync-progress--watch text burst))
    (when (>= (meta-log-peer-sync-progress--burst-count burst)
              meta-log-peer-sync-progress--many)
      (unless (meta-log-peer-sync-progress--burst-reporter burst)
        (setf (meta-log-peer-sync-progress--burst-reporter burst)
              (make-progress-reporter (concat text "..."))))
      (progress-reporter-update
       (meta-log-peer-sync-progress--burst-reporter burst) nil
       (number-to-string (meta-log-peer-sync-progress--burst-count burst))))))

(defun meta-log-peer-sync-progress-follow (event)
  "Show the progress when EVENT is one of many documents that come or go."
  (pcase (plist-get event :event)
    ("document-changed" (meta-log-peer-sync-progress-count "Receiving documents"))
    ("sync-started" (meta-log-peer-sync-progress-count "Sending documents"))))

;;;; One message for many

(defun meta-log-peer-sync-progress--tell (kind)
  "Show what was gathered of KIND."
  (pcase-let ((`(,_kind ,_timer ,function . ,texts)
               (assq kind meta-log-peer-sync-progress--gathered)))
    (setq meta-log-peer-sync-progress--gathered
          (assq-delete-all kind meta-log-peer-sync-progress--gathered))
    (message "meta-log-peer-sync: %s"
             (if (cdr texts) (funcall function (length texts)) (car texts)))))

(defun meta-log-peer-sync-progress-gather (kind text function)
  "Show TEXT, a message of KIND, in a moment.
When there are several of KIND by then, show what FUNCTION returns instead;
it is called with their number."
  (let ((entry (assq kind meta-log-peer-sync-progress--gathered)))
    (unless entry
      (setq entry (list kind
                        (run-at-time meta-log-peer-sync-progress--gather nil
                                     #'meta-log-peer-sync-progress--tell kind)
                        function))
      (push entry meta-log-peer-sync-progress--gathered))
    (setf (cdddr entry) (cons text (cdddr entry)))))

(defun meta-log-peer-sync-progress-unload-function ()
  "Cancel the timers."
  (dolist (entry meta-log-peer-sync-progress--bursts)
    (cancel-timer (meta-log-peer-sync-progress--burst-timer (cdr entry))))
  (dolist (entry meta-log-peer-sync-progress--gathered)
    (cancel-timer (nth 1 entry)))
  nil)

(provide 'meta-log-peer-sync-progress)
;;; meta-log-peer-sync-progress.el ends here

;;; list-test.el --- Lists that change while they are looked at  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; What comes from outside must not take point, mark or order away from who
;; looks at a list, and a thousand events must not become a thousand messages.

;;; Code:

(require 'test-helper)
(require 'meta-log-peer-sync-menu)
(require 'meta-log-peer-sync-peers)
(require 'meta-log-peer-sync-documents)
(require 'meta-log-peer-sync-conflicts)
(require 'meta-log-peer-sync-spaces)
(require 'meta-log-peer-sync-history)

(defconst list-test-modes
  '(meta-log-peer-sync-peers-mode meta-log-peer-sync-documents-mode
    meta-log-peer-sync-conflicts-mode meta-log-peer-sync-spaces-mode
    meta-log-peer-sync-history-mode))

(defmacro list-test-with (rows &rest body)
  "Run BODY in a list of documents that shows ROWS, (NAME STATE)."
  (declare (indent 1))
  `(with-temp-buffer
     (meta-log-peer-sync-documents-mode)
     (list-test-show ,rows)
     ,@body))

(defun list-test-show (rows)
  "Show ROWS, (NAME STATE), in the current list."
  (meta-log-peer-sync-list--set
   (mapcar (lambda (row)
             (list (car row) (vector (car row) (cadr row) "ada" "" "1" "1")))
           rows)))

(defun list-test-ids ()
  "Return the ids of the rows from above."
  (save-excursion
    (goto-char (point-min))
    (cl-loop until (eobp) collect (tabulated-list-get-id) do (forward-line 1))))

(ert-deftest list-test-keys ()
  (dolist (mode list-test-modes)
    (with-temp-buffer
      (funcall mode)
      (should (derived-mode-p 'tabulated-list-mode))
      (pcase-dolist (`(,key . ,command)
                     '(("g" . revert-buffer) ("q" . quit-window) ("n" . next-line)
                       ("p" . previous-line) ("S" . tabulated-list-sort)
                       ("?" . meta-log-peer-sync-menu)))
        (should (eq command (key-binding key))))
      (should (commandp (key-binding (kbd "RET"))))
      (should-not (eq 'newline (key-binding (kbd "RET"))))
      ;; Every key of its own is explained, and does something.
      (should (string-match-p "{meta-log" (or (documentation mode t) ""))))))

(ert-deftest list-test-new-rows-move-nobody ()
  (list-test-with '(("b" "") ("d" "") ("f" ""))
    (goto-char (point-min))
    (forward-line 1)
    (move-to-column 5)
    (let ((column (current-column)))
      (save-excursion (forward-line 1) (push-mark (point) t t))
      (list-test-show '(("a" "") ("b" "") ("c" "") ("d" "") ("f" "")))
      (should (equal '("a" "b" "c" "d" "f") (list-test-ids)))
      (should (equal "d" (tabulated-list-get-id)))
      (should (= column (current-column)))
      (should mark-active)
      (should (equal "f" (tabulated-list-get-id (mark)))))
    ;; A row that is gone leaves point where it was.
    (let ((line (line-number-at-pos)))
      (list-test-show '(("a" "") ("b" "") ("c" "") ("f" "")))
      (should (<= (abs (- line (line-number-at-pos))) 1)))))

(ert-deftest list-test-the-order-stays ()
  (list-test-with '(("a" "x") ("b" "y") ("c" "x"))
    (setq tabulated-list-sort-key '("State" . t))
    (meta-log-peer-sync-list--print)
    (should (equal "b" (car (list-test-ids))))
    (goto-char (point-min))
    (list-test-show '(("a" "z") ("b" "y") ("c" "x")))
    (should (equal '("a" "b" "c") (list-test-ids)))
    (should (equal "b" (tabulated-list-get-id)))
    (should (equal '("State" . t) tabulated-list-sort-key))
    ;; The same rows in another order, as the sidecar may send them.
    (let ((before (buffer-string)))
      (list-test-show '(("c" "x") ("b" "y") ("a" "z")))
      (should (equal before (buffer-string))))))

(ert-deftest list-test-a-long-list-comes-in-parts ()
  "So that nobody waits for it; point stays, and nothing is there twice."
  (let ((rows (cl-loop for n below 700 collect (list (format "%03d" (mod (* n 307) 700)) ""))))
    (list-test-with rows
      (should (< (length (list-test-ids)) 200))
      (goto-char (point-min))
      (let ((here (tabulated-list-get-id)))
        (should (test-helper-until (= 700 (length (list-test-ids)))))
        (should (equal here (tabulated-list-get-id)))
        (should (equal (list-test-ids) (sort (mapcar #'car rows) #'string<))))
      ;; A change meanwhile is not undone by the rest.
      (list-test-show nil)
      (should-not (list-test-ids))
      (list-test-show rows)
      (list-test-show (last rows 3))
      (should (test-helper-until (= 3 (length (list-test-ids)))))
      (should-not meta-log-peer-sync-list--rest))))

(ert-deftest list-test-windows-stay-at-their-rows ()
  (list-test-with (cl-loop for n from 100 below 200 by 2 collect (list (format "%d" n) ""))
    (let ((buffer (current-buffer)))
      (save-window-excursion
        (set-window-buffer (selected-window) buffer)
        (goto-char (point-min))
        (forward-line 20)
        (set-window-point (selected-window) (point))
        (with-temp-buffer
          (with-current-buffer buffer
            (list-test-show (cl-loop for n from 100 below 200
                                     collect (list (format "%d" n) "")))))
        (with-current-buffer buffer
          (should (equal "140" (tabulated-list-get-id (window-point (selected-window))))))))))

(ert-deftest list-test-the-index-and-the-explanation ()
  (list-test-with '(("a" "conflict") ("b" ""))
    (should (equal '("a" "b") (mapcar #'car (funcall imenu-create-index-function))))
    (goto-char (point-min))
    (should (equal "Document: a, State: conflict, Author: ada, Bytes: 1, Revisions: 1"
                   (run-hook-with-args-until-success 'eldoc-documentation-functions
                                                     #'ignore)))
    (goto-char (point-max))
    (should-not (run-hook-with-args-until-success 'eldoc-documentation-functions #'ignore))))

(defun list-test-shown ()
  "Return the buffers of all lists, opened now."
  (list (meta-log-peer-sync-peers) (meta-log-peer-sync-documents)
        (meta-log-peer-sync-conflicts-show) (meta-log-peer-sync-list-spaces)
        (meta-log-peer-sync-history-show "a.org")))

(defun list-test-refused (command)
  "Return what COMMAND says to a user who may not do it now."
  (cadr (should-error (call-interactively command) :type 'user-error)))

(ert-deftest list-test-a-key-before-the-first-answer ()
  (test-helper-with-fake
    (setenv "FAKE_MODE" "silent")
    (meta-log-peer-sync-start)
    (dolist (buffer (list-test-shown))
      (with-current-buffer buffer
        (should (equal "Loading…\n" (buffer-string)))
        (should (= (point) (point-min)))
        (should-not (buffer-modified-p))
        (should (string-match-p "still loading" (list-test-refused (key-binding (kbd "RET")))))
        (should-not (funcall imenu-create-index-function))
        (revert-buffer)
        (should (equal "Loading…\n" (buffer-string)))))
    (with-current-buffer "*history: a.org*"
      (should (string-match-p "still loading"
                              (list-test-refused #'meta-log-peer-sync-history-older))))))

(ert-deftest list-test-what-comes-takes-the-place-of-loading ()
  (test-helper-with-fake
    (meta-log-peer-sync-start)
    (pcase-dolist (`(,buffer ,rows) (cl-mapcar #'list (list-test-shown) '(1 1 1 0 2)))
      (with-current-buffer buffer
        (should (test-helper-until (eq 'loaded meta-log-peer-sync-list--state)))
        (should (= rows (count-lines (point-min) (point-max))))
        (should-not (string-match-p "Loading" (buffer-string)))
        (goto-char (point-max))
        (should (string-match-p (if (= 0 rows) "is empty" "no entry on this line")
                                (list-test-refused (key-binding (kbd "RET")))))
        ;; What is shown stays while it is asked for again.
        (let ((before (buffer-string)))
          (revert-buffer)
          (should (equal before (buffer-string))))))))

(ert-deftest list-test-what-does-not-come-is-said ()
  (let* ((answers nil)
         (buffer (meta-log-peer-sync-list-show
                  " list-test" #'meta-log-peer-sync-documents-mode
                  (lambda (function failed) (setq answers (list function failed))) nil)))
    (unwind-protect
        (with-current-buffer buffer
          (funcall (nth 1 answers) '(:message "no room\n" :data (:hint "make some")))
          (should (equal "Not loaded: no room? (make some)\n" (buffer-string)))
          (should (string-match-p "could not be loaded: no room.*g asks again"
                                  (list-test-refused #'meta-log-peer-sync-documents-open)))
          (revert-buffer)
          (should (equal "Loading…\n" (buffer-string)))
          (funcall (car answers) '(("a" ["a" "" "" "" "1" "1"])))
          (should (equal "a" (meta-log-peer-sync-list-id)))
          ;; A later problem takes nothing away.
          (funcall (nth 1 answers) '(:message "gone"))
          (should (equal "a" (meta-log-peer-sync-list-id))))
      (kill-buffer buffer))))

(ert-deftest list-test-times-to-the-second ()
  (should (equal "2026-11-21T11:34:02Z" (meta-log-peer-sync-core-time
                                         "2026-11-21T11:34:02.123456Z")))
  (should (equal "" (meta-log-peer-sync-core-time nil)))
  (should (equal "a?b" (meta-log-peer-sync-core-time "a\nb"))))

(ert-deftest list-test-many-documents-are-one-progress ()
  (test-helper-with-fake
    (meta-log-peer-sync-start)
    (should (test-helper-until (eq 'ready (meta-log-peer-sync-rpc-state))))
    (let ((other (concat "peer-" (make-string 52 ?b)))
          (meta-log-peer-sync-progress--pause 0.5))
      (cl-flet ((events (count name &rest fields)
                  (apply #'test-helper-emit
                         (cl-loop for n below count
                                  collect (append (list :event name :peer_id other
                                                        :file (format "%d.org" n))
                                                  fields)))))
        (events 3 "document-changed" :deleted t :revision "ab")
        (should (test-helper-until (test-helper-said "3 documents were deleted")))
        (should-not (test-helper-said "0.org was deleted"))
        (events 1 "document-changed" :deleted t :revision "ab")
        (should (test-helper-until (test-helper-said "0.org was deleted by b")))
        (should-not (test-helper-said "Receiving"))
        (events 60 "document-changed" :deleted :json-false :revision "ab"
                :path "/nonexistent")
        (should (test-helper-until (test-helper-said "Receiving documents...done ([0-9]+)")))
        (events 2 "conflict-detected" :conflicts ["1"])
        (should (test-helper-until (test-helper-said "2 documents have values")))))))

(ert-deftest list-test-visiting-says-nothing-needless ()
  "Emacs does not remark on variables that are local on purpose."
  (test-helper-with-fake
    (let ((synced (expand-file-name "synced/" meta-log-peer-sync-state-directory)))
      (make-directory synced t)
      (meta-log-peer-sync-guard-mode 1)
      (with-current-buffer (messages-buffer)
        (let ((inhibit-read-only t)) (erase-buffer)))
      (dolist (name '("a.org" "b.org"))
        (write-region "x" nil (expand-file-name name synced) nil 'silent)
        (with-current-buffer (find-file-noselect (expand-file-name name synced))
          (should-not enable-local-variables)
          (should (local-variable-p 'enable-local-variables))
          (kill-buffer)))
      (should (default-value 'enable-local-variables))
      (with-current-buffer (messages-buffer)
        (should-not (string-match-p "Making" (buffer-string)))))))

(provide 'list-test)
;;; list-test.el ends here
